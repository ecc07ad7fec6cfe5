"""What Accord says of itself to machines is true: each thing that the metadata lists is tried."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.domain.language import Language
from tests.support import fapi
from tests.support.builders import CHALLENGE, VERIFIER, a_query, query_params
from tests.support.customer import BUDGET, BrowserCustomer, answer_params, basic, hidden_fields
from tests.support.expected_pages import check_json, check_page
from tests.support.page_contract import ContractClient, parse_page

METADATA = "/.well-known/oauth-authorization-server"
ISSUER = "http://localhost:8000"


@pytest.fixture
def metadata(client: ContractClient) -> dict[str, Any]:
    """What a client library reads first (RFC 8414)."""
    response = client.get(METADATA)
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    return dict(response.get_json())


def path_of(metadata: dict[str, Any], name: str) -> str:
    """The path of an endpoint, which lies at the issuer."""
    address = str(metadata[name])
    assert address.startswith(f"{ISSUER}/")
    return urlsplit(address).path


def authenticated(method: str) -> tuple[dict[str, str], dict[str, str]]:
    """The fields and the headers that authenticate by `method`."""
    if method == "private_key_jwt":
        proof = fapi.a_proof(fapi.a_key(), fapi.proof_claims("POST", "/api/v1/token"))
        return fapi.authenticated(), {"DPoP": proof}
    if method == "client_secret_basic":
        return {}, basic(*BUDGET)
    assert method == "client_secret_post"
    return dict(zip(("client_id", "client_secret"), BUDGET, strict=True)), {}


def test_the_metadata_names_nothing_that_is_not_tried_here(metadata: dict[str, Any]) -> None:
    assert metadata.keys() == {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "pushed_authorization_request_endpoint",
        "require_pushed_authorization_requests",
        "revocation_endpoint",
        "introspection_endpoint",
        "jwks_uri",
        "scopes_supported",
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "token_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
        "ui_locales_supported",
    }


def test_the_issuer_is_the_one_in_every_answer(customer: BrowserCustomer, metadata: dict[str, Any]) -> None:
    assert metadata["issuer"] == ISSUER
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for decision in ("approve", "deny"):
        params = answer_params(customer.answer(customer.signed_in_request(), decision))
        assert params["iss"] == ISSUER
    assert answer_params(customer.client.get(f"/api/v1/authorize?{a_query(scope='x')}"))["iss"] == ISSUER


def test_every_scope_can_be_asked_for(customer: BrowserCustomer, metadata: dict[str, Any]) -> None:
    authorize = path_of(metadata, "authorization_endpoint")
    assert len(set(metadata["scopes_supported"])) == len(metadata["scopes_supported"])
    clusters = [scope for scope in metadata["scopes_supported"] if scope != "client:admin"]
    assert len(clusters) == 8
    for cluster in clusters:
        response = customer.client.get(f"{authorize}?{a_query(scope=f'ACCOUNT_BASIC {cluster}')}")
        assert response.location.startswith("/sign-in/"), cluster
    admin = {"grant_type": "client_credentials", "scope": "client:admin"}
    token = customer.client.post(path_of(metadata, "token_endpoint"), data=admin, headers=basic(*BUDGET))
    assert token.get_json()["scope"] == "client:admin"


def test_every_response_type_and_mode_works(customer: BrowserCustomer, metadata: dict[str, Any]) -> None:
    assert metadata["response_modes_supported"] == ["query"]
    for response_type in metadata["response_types_supported"]:
        answer = customer.answer(customer.signed_in_request(response_type=response_type), "approve")
        assert "code" in answer_params(answer)
        assert "#" not in answer.location


def test_a_request_may_be_pushed_and_need_not(client: ContractClient, metadata: dict[str, Any]) -> None:
    assert metadata["require_pushed_authorization_requests"] is False
    address = path_of(metadata, "pushed_authorization_request_endpoint")
    pushed = client.post(address, data=query_params(), headers=basic(*BUDGET))
    assert pushed.status_code == 201
    authorize = path_of(metadata, "authorization_endpoint")
    assert client.get(f"{authorize}?{a_query()}").location.startswith("/sign-in/")


def test_every_grant_type_works(customer: BrowserCustomer, metadata: dict[str, Any]) -> None:
    assert metadata["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    tokens = customer.redeem(customer.approve())
    assert tokens.status_code == 200
    assert customer.refresh(tokens.get_json()["refresh_token"]).status_code == 200
    fields = {"grant_type": "client_credentials", "scope": "client:admin"}
    own = customer.client.post(path_of(metadata, "token_endpoint"), data=fields, headers=basic(*BUDGET))
    assert own.status_code == 200


def test_every_method_of_authentication_works_at_its_endpoint(
    customer: BrowserCustomer, metadata: dict[str, Any]
) -> None:
    for method in metadata["token_endpoint_auth_methods_supported"]:
        fields, headers = authenticated(method)
        sent = {"grant_type": "client_credentials", "scope": "client:admin", **fields}
        response = customer.client.post(path_of(metadata, "token_endpoint"), data=sent, headers=headers)
        assert response.status_code == 200, method
    for endpoint in ("revocation", "introspection"):
        for method in metadata[f"{endpoint}_endpoint_auth_methods_supported"]:
            fields, headers = authenticated(method)
            address = path_of(metadata, f"{endpoint}_endpoint")
            response = customer.client.post(address, data={"token": "unknown", **fields}, headers=headers)
            assert response.status_code == 200, (endpoint, method)


def test_every_algorithm_of_a_signature_works_at_its_endpoint(
    register: Callable[..., ContractClient], metadata: dict[str, Any]
) -> None:
    """Each by a recipient that has one key of that kind."""
    for endpoint in ("token", "revocation", "introspection"):
        for algorithm in metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]:
            key = fapi.a_key({"ES256": "EC", "PS256": "RSA"}.get(algorithm, "OKP"))
            members = ", ".join(f'{name} = "{value}"' for name, value in fapi.public(key).items())
            client = register(("[recipients.jwks]\nkeys = [", f"[recipients.jwks]\nkeys = [{{ {members} }},"))
            assertion = fapi.signed(fapi.assertion_claims(), key, kid="key-1", alg=algorithm)
            sent = {
                "grant_type": "client_credentials",
                "scope": "client:admin",
                "token": "unknown",
                **fapi.assertion_fields(assertion),
            }
            address = path_of(metadata, f"{endpoint}_endpoint")
            proof = fapi.a_proof(key, fapi.proof_claims("POST", address), alg=algorithm)
            response = client.post(address, data=sent, headers={"DPoP": proof})
            assert response.status_code == 200, (endpoint, algorithm)


def test_every_algorithm_of_a_proof_works(client: ContractClient, metadata: dict[str, Any]) -> None:
    for algorithm in metadata["dpop_signing_alg_values_supported"]:
        key = fapi.a_key({"ES256": "EC", "PS256": "RSA"}.get(algorithm, "OKP"))
        address = path_of(metadata, "token_endpoint")
        proof = fapi.a_proof(key, fapi.proof_claims("POST", address), alg=algorithm)
        sent = {"grant_type": "client_credentials", "scope": "client:admin"}
        response = client.post(address, data=sent, headers={**basic(*BUDGET), "DPoP": proof})
        assert response.get_json()["token_type"] == "DPoP", algorithm


def test_every_challenge_method_works_and_no_other(
    customer: BrowserCustomer, metadata: dict[str, Any]
) -> None:
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    code = customer.approve(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert customer.redeem(code, code_verifier=VERIFIER).status_code == 200
    plain = a_query(code_challenge=CHALLENGE, code_challenge_method="plain")
    assert answer_params(customer.client.get(f"/api/v1/authorize?{plain}"))["error"] == "invalid_request"


def test_the_pages_are_in_every_language_that_is_named(
    customer: BrowserCustomer, metadata: dict[str, Any]
) -> None:
    assert metadata["ui_locales_supported"] == list(Language)
    for language in metadata["ui_locales_supported"]:
        request_id = customer.begin(ui_locales=f"de {language} en fr")
        check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", language)


def test_the_keys_are_public_and_verify_what_was_signed(
    customer: BrowserCustomer, metadata: dict[str, Any]
) -> None:
    response = customer.client.get(path_of(metadata, "jwks_uri"))
    assert response.status_code == 200
    keys = response.get_json()["keys"]
    assert keys
    for key in keys:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}, "nothing private, RFC 7517"
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    token = customer.redeem(customer.approve()).get_json()["access_token"]
    jwt.decode(token, KeySet.import_key_set(response.get_json()), algorithms=["ES256"])


def test_who_takes_it_for_an_openid_provider_is_told_where_the_metadata_are(client: ContractClient) -> None:
    response = client.get("/.well-known/openid-configuration")
    check_json(response, "invalid_request", status=404)
    assert response.get_json()["error_description"] == (
        f"This is no OpenID provider. Its OAuth 2.0 metadata (RFC 8414) are at {ISSUER}{METADATA}"
    )
    assert client.get(METADATA).status_code == 200


@pytest.mark.parametrize("path", [METADATA, "/.well-known/jwks.json", "/openapi.yaml"])
def test_what_is_the_same_for_everybody_may_be_kept_for_five_minutes(
    client: ContractClient, path: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(("path", "status"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_health_is_told_and_never_kept(client: ContractClient, path: str, status: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.get_json() == {"status": status}
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [METADATA, "/.well-known/jwks.json", "/healthz", "/readyz"])
def test_what_machines_read_is_only_read(client: ContractClient, path: str) -> None:
    assert client.head(path).status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = client.open(path, method=method)
        assert response.status_code == 405
        assert response.get_json()["error"] == "invalid_request"


def test_the_metadata_does_not_depend_on_who_asks_and_how(client: ContractClient) -> None:
    plain = client.get(METADATA).data
    asked_differently = client.get(
        METADATA,
        headers={"Host": "127.0.0.1:9999", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    )
    assert asked_differently.data == plain


def test_no_page_gives_a_token_away_that_another_page_would_take(customer: BrowserCustomer) -> None:
    """The forms' tokens differ from page to page, from request to request and from session to session."""
    first, second = customer.signed_in_request(), customer.begin()
    tokens = [
        hidden_fields(customer.form(each), f"/consent/{each}")["csrf_token"] for each in (first, second)
    ]
    page = parse_page(customer.client.get(f"/consent/{first}").text)
    tokens.append(hidden_fields(page, "/sign-out")["csrf_token"])
    assert len(set(tokens)) == 3


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["10.42.7.13:8000", "[fd00::7]:8000", "node-7", "evil.example"])
def test_health_is_told_whatever_host_is_named(production: ContractClient, path: str, host: str) -> None:
    """Orchestrators ask by address. Nothing is built from it, and nothing else is answered."""
    response = production.get(path, headers={"Host": host})
    assert response.status_code == 200
    assert host not in str(response.headers) + response.text
    assert production.get("/connections", headers={"Host": host}).status_code == 400
