"""Remakes the sample acts from their sources: `../../.venv/bin/python make.py` in this folder.

Needs LibreOffice Writer (`soffice`), `pdftoppm` of poppler-utils and the Liberation fonts. The acts come out
as PDF/A-2b; the petition is printed, stamped and scanned as a registry office would do it.
"""

import io
import random
import subprocess
import tempfile
from pathlib import Path

import pikepdf
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

FOLDER = Path(__file__).resolve().parent
ACTS = ("dispozitia-primarului", "adeverinta")
PETITION = "petitie-scanata"
PDF_A_2B = 'pdf:writer_pdf_Export:{"SelectPdfVersion":{"type":"long","value":"2"}}'
DPI = 150
INK = (38, 52, 140)


def convert(source: Path, folder: Path, export: str) -> Path:
    """Let LibreOffice write the PDF of `source` into `folder`; its profile is a new one."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                "soffice",
                f"-env:UserInstallation={Path(profile).as_uri()}",
                "--headless",
                "--convert-to",
                export,
                "--outdir",
                str(folder),
                str(source),
            ],
            check=True,
            capture_output=True,
        )
    return folder / f"{source.stem}.pdf"


def printed(pdf: Path) -> Image.Image:
    """Give the first page as an RGB image of `DPI` dots per inch."""
    png = subprocess.run(
        ["pdftoppm", "-r", str(DPI), "-png", "-singlefile", str(pdf)], check=True, capture_output=True
    ).stdout
    return Image.open(io.BytesIO(png)).convert("RGB")


def stamp(paper: Image.Image) -> Image.Image:
    """Press the registry's entry stamp, a little askew and unevenly inked, into the upper left corner."""
    size = (520, 260)
    ink = Image.new("L", size, 0)
    draw = ImageDraw.Draw(ink)
    draw.rounded_rectangle((14, 14, 505, 245), radius=18, outline=255, width=5)
    bold = ImageFont.truetype("LiberationSans-Bold.ttf", 24)
    written = ImageFont.truetype("LiberationSerif-Italic.ttf", 40)
    draw.text((260, 48), "PRIMĂRIA COMUNEI LUNCA TEILOR", fill=255, font=bold, anchor="mm")
    draw.text((260, 88), "REGISTRATURĂ – INTRARE", fill=255, font=bold, anchor="mm")
    draw.text((40, 150), "Nr.", fill=255, font=bold, anchor="lm")
    draw.text((40, 208), "Data", fill=255, font=bold, anchor="lm")
    draw.text((120, 143), "4.497", fill=255, font=written, anchor="lm")
    draw.text((120, 201), "11. XI. 2026", fill=255, font=written, anchor="lm")
    for y in (164, 222):
        draw.line((112, y, 470, y), fill=255, width=2)
    blots = noise(size, random.Random(2), 255).filter(ImageFilter.GaussianBlur(5))  # noqa: S311
    ink = ImageChops.multiply(ink, blots.point(lambda value: max(0, min(255, (value - 104) * 9))))
    ink = ink.rotate(4.2, resample=Image.Resampling.BICUBIC, expand=True)
    paper.paste(Image.new("RGB", ink.size, INK), (95, 80), ink.point(lambda value: value * 85 // 100))
    return paper


def noise(size: tuple[int, int], source: random.Random, depth: int) -> Image.Image:
    """Give a grey image of evenly distributed noise from 255 - `depth` to 255, the same at each run."""
    image = Image.frombytes("L", size, source.randbytes(size[0] * size[1]))
    return image.point(lambda value: 255 - value * depth // 255)


def scanned(paper: Image.Image) -> Image.Image:
    """Lay the paper askew on the glass: shadow at the edge, uneven light, dust and grain."""
    source = random.Random(7)  # noqa: S311
    width, height = paper.size
    page = paper.rotate(-0.9, resample=Image.Resampling.BICUBIC, fillcolor=(214, 213, 208))
    light = Image.linear_gradient("L").rotate(35, expand=True).crop((90, 90, 270, 270)).resize(page.size)
    page = ImageChops.multiply(page, Image.merge("RGB", [light.point(lambda v: 232 + v * 20 // 255)] * 3))
    draw = ImageDraw.Draw(page)
    for _ in range(40):
        x, y, r = source.randrange(width), source.randrange(height), source.choice((1, 1, 1, 2))
        draw.ellipse((x, y, x + r, y + r), fill=(120, 118, 112))
    for offset in range(14):
        shade = 120 + offset * 9
        draw.line((offset, 0, offset, height), fill=(shade, shade, shade - 4))
    page = page.filter(ImageFilter.GaussianBlur(0.6))
    grain = noise(page.size, source, 22).filter(ImageFilter.GaussianBlur(0.7))
    return ImageChops.multiply(page, Image.merge("RGB", [grain] * 3))


def write_scan(image: Image.Image, target: Path) -> None:
    """Write the scan as a PDF of one A4 page that holds nothing but the JPEG."""
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=48, dpi=(DPI, DPI))
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595.276, 841.89))
        picture = pikepdf.Stream(pdf, jpeg.getvalue())
        picture.stream_dict = pikepdf.Dictionary(
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=image.width,
            Height=image.height,
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        page = pdf.pages[0]
        page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=picture))
        page.obj.Contents = pdf.make_stream(b"q 595.276 0 0 841.89 0 0 cm /Scan Do Q")
        pdf.docinfo["/Title"] = pikepdf.String("Petiție scanată (fictivă, pentru încercări)")
        pdf.save(target, deterministic_id=True)


def main() -> None:
    """Remake every sample."""
    for name in ACTS:
        convert(FOLDER / f"{name}.fodt", FOLDER, PDF_A_2B)
    with tempfile.TemporaryDirectory() as folder:
        paper = printed(convert(FOLDER / f"{PETITION}.fodt", Path(folder), "pdf"))
    write_scan(scanned(stamp(paper)), FOLDER / f"{PETITION}.pdf")


if __name__ == "__main__":
    main()
