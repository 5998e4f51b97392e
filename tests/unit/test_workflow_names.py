"""Ids, resource names and texts of the workflow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from workflow.names import check_id, check_text, id_of, id_or_new, parse_step_name, step_name


def test_ids_are_taken_or_made() -> None:
    assert id_or_new("primar-2026", "person_id") == "primar-2026"
    made = {id_or_new("", "person_id") for _ in range(50)}
    assert len(made) == 50
    assert {len(value) for value in made} == {26}
    assert all(check_id(value, "person_id") == value for value in made)


@pytest.mark.parametrize("value", ["", "-a", "a-", "A", "a/b", "a b", "ș", "a" * 64, "a\n", "٣"])
def test_ids_that_are_refused(value: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_id(value, "person_id")
    assert (caught.value.reason, caught.value.field) == ("ID_INVALID", "person_id")


@pytest.mark.parametrize("name", ["", "persons", "persons/", "dossiers/a", "persons/a/b", "/a", "persons/A"])
def test_names_of_another_form_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        id_of(name, "persons", "name")
    assert caught.value.reason == "NAME_INVALID"


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True), st.integers(1, 99))
def test_step_names_are_read_as_they_were_made(dossier_id: str, number: int) -> None:
    assert parse_step_name(step_name(dossier_id, number)) == (dossier_id, number)


@given(
    st.one_of(
        st.text(),
        st.builds("dossiers/{}/steps/{}".format, st.text(max_size=4), st.text(max_size=3)),
    )
)
def test_a_step_name_is_read_exactly_or_refused(name: str) -> None:
    try:
        dossier_id, number = parse_step_name(name)
    except InvalidArgumentError as error:
        assert error.reason == "NAME_INVALID"
    else:
        assert step_name(dossier_id, number) == name


@pytest.mark.parametrize("name", ["dossiers/a/steps/0", "dossiers/a/steps/01", "dossiers/a/steps/100"])
def test_step_numbers_count_from_one_without_zeros(name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_step_name(name)


def test_texts_are_kept_in_composed_form() -> None:
    assert check_text("S\u0326erba\u0306nescu", "display_name") == "Șerbănescu"


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\x00", "x" * 201, "\u202eevil"])
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_text(text, "display_name")
    assert (caught.value.reason, caught.value.field) == ("TEXT_INVALID", "display_name")
