"""The report of one document in its forms: a page, sheets of PDF/A, and ETSI TS 119 102-2 XML."""
