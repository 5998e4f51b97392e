"""Incremental saving attacks: an update changes what the document says (ISA)."""

from signer.validation.pdf.values import Reference, Stream
from tests.attacks.cases import Attack
from tests.attacks.documents import opened
from tests.attacks.updates import Raw, Written, form, shown, stream

_FORGED = b"BT /F1 14 Tf 40 200 Td (Se aproba plata sumei de 9000 lei) Tj ET"
_SCRIPT: dict[str, Written] = {"/S": "/JavaScript", "/JS": b"app.alert(1)"}
FORMAT = "FORMAT_FAILURE"


def _objects_said_again() -> bytes:
    d = opened()
    return d.update({d.number(*d.page()): d.value(*d.page())})


def _content_said_again() -> bytes:
    d = opened()
    content = (*d.page(), "/Contents")
    return d.update({d.number(*content): d.stream(*content)})


def _content_replaced() -> bytes:
    d = opened()
    return d.update({d.number(*d.page(), "/Contents"): stream(_FORGED)})


def _content_pointed_elsewhere() -> bytes:
    d = opened()
    return d.update(d.changed(d.page(), Contents=Reference(d.free, 0)) | {d.free: stream(_FORGED)})


def _content_moved_unchanged() -> bytes:
    d = opened()
    return d.update(
        d.changed(d.page(), Contents=Reference(d.free, 0)) | {d.free: d.stream(*d.page(), "/Contents")}
    )


def _content_added() -> bytes:
    d = opened()
    both = [d.dictionary(*d.page())["/Contents"], Reference(d.free, 0)]
    return d.update(d.changed(d.page(), Contents=both) | {d.free: stream(_FORGED)})


def _content_covered_by_an_object_nobody_uses() -> bytes:
    d = opened()
    return d.update({d.free: stream(_FORGED)})


def _page_turned() -> bytes:
    d = opened()
    return d.update(d.changed(d.page(), Rotate=180))


def _tab_order() -> bytes:
    d = opened()
    return d.update(d.changed(d.page(), Tabs="/S"))


def _page_box() -> bytes:
    d = opened()
    return d.update(d.changed(d.page(), CropBox=[0, 0, 400, 150]))


def _pages_swapped() -> bytes:
    d = opened()
    return d.update(d.changed(("/Root", "/Pages"), Kids=d.items("/Root", "/Pages", "/Kids")[::-1]))


def _pages_said_again() -> bytes:
    d = opened()
    return d.update({d.number("/Root", "/Pages"): d.value("/Root", "/Pages")})


def _page_added() -> bytes:
    d = opened()
    page = d.dictionary(*d.page(1)) | {"/Contents": Reference(d.free + 1, 0)}
    kids = [*d.items("/Root", "/Pages", "/Kids"), Reference(d.free, 0)]
    tree = d.changed(("/Root", "/Pages"), Kids=kids, Count=3)
    return d.update(tree | {d.free: page, d.free + 1: stream(_FORGED)})


def _page_removed() -> bytes:
    d = opened()
    return d.update(d.changed(("/Root", "/Pages"), Kids=d.items("/Root", "/Pages", "/Kids")[:1], Count=1))


def _page_replaced() -> bytes:
    d = opened()
    page = d.dictionary(*d.page(1)) | {"/Contents": Reference(d.free + 1, 0)}
    kids = [d.items("/Root", "/Pages", "/Kids")[0], Reference(d.free, 0)]
    return d.update(d.changed(("/Root", "/Pages"), Kids=kids) | {d.free: page, d.free + 1: stream(_FORGED)})


def _catalog_replaced() -> bytes:
    d = opened()
    pages, page, content = d.free, d.free + 1, d.free + 2
    objects: dict[int, Written] = {
        d.number("/Root"): d.dictionary("/Root") | {"/Pages": Reference(pages, 0)},
        pages: d.dictionary("/Root", "/Pages") | {"/Kids": [Reference(page, 0)] * 2},
        page: d.dictionary(*d.page()) | {"/Contents": Reference(content, 0)},
        content: stream(_FORGED),
    }
    return d.update(objects)


def _other_catalog() -> bytes:
    d = opened()
    root = d.dictionary("/Root") | {"/PageLayout": "/OneColumn", "/OpenAction": dict(_SCRIPT)}
    return d.update({d.free: root}, trailer={"/Root": Reference(d.free, 0)})


def _same_catalog_elsewhere() -> bytes:
    d = opened()
    return d.update({d.free: d.value("/Root")}, trailer={"/Root": Reference(d.free, 0)})


def _root(**entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed(("/Root",), **entries))


def _names(**entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed(("/Root", "/Names"), **entries))


def _page_action() -> bytes:
    d = opened()
    return d.update(d.changed(d.page(), AA={"/O": dict(_SCRIPT)}))


def _metadata() -> bytes:
    d = opened()
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf/></x:xmpmeta>'
    return d.update(
        d.changed(("/Root",), Metadata=Reference(d.free, 0))
        | {d.free: stream(packet, Type="/Metadata", Subtype="/XML")}
    )


def _validation_data() -> bytes:
    d = opened()
    store: dict[int, Written] = {
        d.free: {"/Certs": [Reference(d.free + 1, 0)]},
        d.free + 1: stream(b"\x30\x00"),
    }
    return d.update(d.changed(("/Root",), DSS=Reference(d.free, 0)) | store)


def _validation_data_that_is_a_page() -> bytes:
    d = opened()
    return d.update(d.changed(("/Root",), DSS={"/Certs": [Reference(d.number(*d.page()), 0)]}))


def _layer_shown() -> bytes:
    d = opened()
    layers = d.items("/Root", "/OCProperties", "/OCGs")
    return d.update(d.changed(("/Root", "/OCProperties"), D={"/ON": layers, "/OFF": []}))


def _layers_said_again() -> bytes:
    d = opened()
    return d.update({d.number("/Root", "/OCProperties"): d.value("/Root", "/OCProperties")})


def _font(**entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed((*d.page(), "/Resources", "/Font", "/F1"), **entries))


def _font_said_again() -> bytes:
    d = opened()
    path = (*d.page(), "/Resources", "/Font", "/F1")
    return d.update({d.number(*path): d.value(*path)})


def _unicode_swapped() -> bytes:
    d = opened()
    path = (*d.page(), "/Resources", "/Font", "/F1", "/ToUnicode")
    map_of = d.stream(*path)
    swapped = map_of.raw.replace(b"<20> <7E> <0020>", b"<20> <7E> <0021>")
    return d.update({d.number(*path): Stream(map_of.dictionary, swapped)})


def _unicode_said_again() -> bytes:
    d = opened()
    path = (*d.page(), "/Resources", "/Font", "/F1", "/ToUnicode")
    return d.update({d.number(*path): d.stream(*path)})


def _content_freed() -> bytes:
    d = opened()
    return d.update(free=[d.number(*d.page(), "/Contents")])


def _unused_freed() -> bytes:
    d = opened()
    return d.update({}, rows={d.free: b"%010d %05d f\r\n" % (0, 65535)})


def _content_by_another_generation() -> bytes:
    d = opened()
    number = d.number(*d.page(), "/Contents")
    return d.update({number: stream(_FORGED)}, generations={number: 1})


def _key_twice() -> bytes:
    d = opened()
    page = Raw(b"<</Contents %d 0 R " % d.free) + _bare(d.dictionary(*d.page()))
    return d.update({d.number(*d.page()): Raw(page), d.free: stream(_FORGED)})


def _key_twice_alike() -> bytes:
    d = opened()
    number = d.number(*d.page(), "/Contents")
    page = Raw(b"<</Contents %d 0 R " % number) + _bare(d.dictionary(*d.page()))
    return d.update({d.number(*d.page()): Raw(page)})


def _bare(page: dict[str, Written]) -> bytes:
    return shown(page)[2:]


def _object_taken_for_something_else() -> bytes:
    """What was a comment becomes what the page draws with."""
    d = opened()
    comment = d.number(*d.page(), "/Annots", 4)
    resources = d.dictionary(*d.page(), "/Resources") | {"/XObject": {"/X": Reference(comment, 0)}}
    return d.update(d.changed(d.page(), Resources=resources) | {comment: form(_FORGED, 400, 300)})


def _comment_edited() -> bytes:
    d = opened()
    return d.update(d.changed((*d.page(), "/Annots", 4), Contents=b"verificat"))


def _information(**entries: Written) -> bytes:
    d = opened()
    return d.update(
        {d.free: {f"/{key}": value for key, value in entries.items()}},
        trailer={"/Info": Reference(d.free, 0)},
    )


ATTACKS = (
    Attack("content replaced", _content_replaced, FORMAT, _content_said_again, "the same object again"),
    Attack(
        "content pointed elsewhere",
        _content_pointed_elsewhere,
        FORMAT,
        _content_moved_unchanged,
        "same bytes",
    ),
    Attack(
        "content added", _content_added, FORMAT, _content_covered_by_an_object_nobody_uses, "nothing uses it"
    ),
    Attack("page turned", _page_turned, FORMAT, _objects_said_again, "the same page again"),
    Attack("page cropped", _page_box, FORMAT, _tab_order, "the tab order is not seen"),
    Attack("pages swapped", _pages_swapped, FORMAT, _pages_said_again, "the same tree again"),
    Attack("page added", _page_added, FORMAT, _content_covered_by_an_object_nobody_uses, "nothing uses it"),
    Attack("page removed", _page_removed, FORMAT, _pages_said_again, "the same tree again"),
    Attack("page replaced", _page_replaced, FORMAT, _pages_said_again, "the same tree again"),
    Attack(
        "catalog with other pages", _catalog_replaced, FORMAT, _same_catalog_elsewhere, "the same catalog"
    ),
    Attack("another catalog", _other_catalog, FORMAT, _same_catalog_elsewhere, "the same catalog"),
    Attack(
        "OpenAction",
        lambda: _root(OpenAction=dict(_SCRIPT)),
        FORMAT,
        lambda: _root(Version="/2.0"),
        "newer version",
    ),
    Attack("catalog AA", lambda: _root(AA={"/WC": dict(_SCRIPT)}), FORMAT, _metadata, "metadata"),
    Attack("page AA", _page_action, FORMAT, _tab_order, "the tab order is not seen"),
    Attack(
        "JavaScript in the name dictionary",
        lambda: _names(JavaScript={"/Names": [b"a", dict(_SCRIPT)]}),
        FORMAT,
        lambda: _names(AP={"/Names": []}),
        "icons of annotations",
    ),
    Attack(
        "attached file",
        lambda: _names(EmbeddedFiles={"/Names": []}),
        FORMAT,
        lambda: _root(Extensions={"/ESIC": {"/BaseVersion": "/1.7", "/ExtensionLevel": 2}}),
        "developer extensions",
    ),
    Attack(
        "a page as validation data",
        _validation_data_that_is_a_page,
        FORMAT,
        _validation_data,
        "validation data",
    ),
    Attack("hidden layer shown", _layer_shown, FORMAT, _layers_said_again, "the same layers again"),
    Attack(
        "font replaced", lambda: _font(BaseFont="/Symbol"), FORMAT, _font_said_again, "the same font again"
    ),
    Attack(
        "encoding replaced",
        lambda: _font(Encoding={"/Type": "/Encoding", "/Differences": [49, "/nine"]}),
        FORMAT,
        _font_said_again,
        "the same font again",
    ),
    Attack("ToUnicode swapped", _unicode_swapped, FORMAT, _unicode_said_again, "the same map again"),
    Attack("content freed", _content_freed, FORMAT, _unused_freed, "an object that never was"),
    Attack(
        "content of another generation", _content_by_another_generation, FORMAT, _content_said_again, "again"
    ),
    Attack("key twice", _key_twice, FORMAT, _key_twice_alike, "a key twice with one value"),
    Attack("object reused", _object_taken_for_something_else, FORMAT, _comment_edited, "a comment edited"),
    Attack(
        "structure in the information dictionary",
        lambda: _information(Title={"/A": dict(_SCRIPT)}),
        FORMAT,
        lambda: _information(ModDate=b"D:20240602"),
        "a date of change",
    ),
)
"""Attacks on the mayor's approval signature."""
