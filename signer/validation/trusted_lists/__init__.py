"""Trusted lists (ETSI TS 119 612) and what they make of signatures (ETSI TS 119 615): octets in, values out.

`reading` reads a list, `acceptance` and `pivots` say whether it may be believed, `snapshot` is what a policy
carries, `qualification` judges by it, and `joining` is where the engine meets all this.
"""
