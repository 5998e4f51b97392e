"""What a PDF looks like before and after each revision that could be seen: a second opinion by pictures.

`steps` tells which pages a revision touched, `rendering` draws them with PDFium, `pixels` compares what was
drawn, `comparison` puts it together, and `picture` makes a PNG of what differs.
"""
