"""An error in AWS's words that comes from another product is left alone, unless AWS is named beside it."""

from __future__ import annotations

import pytest
from match_cases import PRODUCT_TEXTS

from unexpire.reference import foreign
from unexpire.reference.match import match_text


@pytest.mark.parametrize(("name", "text"), PRODUCT_TEXTS.items())
def test_what_comes_from_another_product_is_left_alone(name: str, text: str) -> None:
    (found,) = match_text(text)
    assert (found.aws_auth, found.about) == (False, name)


def test_every_product_of_the_table_is_tried() -> None:
    assert set(PRODUCT_TEXTS) == {name for _, name, _ in foreign.products()}


@pytest.mark.parametrize(
    "text",
    [
        "s3.eu-west-1.amazonaws.com/b, copied to https://play.min.io/b/k: InvalidToken: The provided token is malformed or otherwise invalid.",
        "Run acme/deploy@v2 with: aws region: eu-west-1\nError: Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable",
        "api.github.com, boto3: An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired.",
    ],
)
def test_aws_beside_it_outweighs_a_product(text: str) -> None:
    assert match_text(text)[0].aws_auth
