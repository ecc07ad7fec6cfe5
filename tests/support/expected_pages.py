"""How each page is known, in both languages, and what leads away from it."""

from werkzeug.test import TestResponse

from tests.support.page_contract import Element, parse_page

# By the page's template: the beginning of its h1.
HEADINGS = {
    "form": {"en": "Do you want to share your data with ", "fr": "Voulez-vous partager vos données avec "},
    "answered": {"en": "You already answered this request", "fr": "Vous avez déjà répondu à cette demande"},
    "continue": {"en": "Continue to ", "fr": "Continuer vers "},
    "sign_in": {"en": "Sign in to ", "fr": "Ouvrez une session chez "},
    "signed_out": {"en": "You are signed out", "fr": "Votre session est fermée"},
    "complaints": {"en": "How to make a complaint", "fr": "Comment faire une plainte"},
    "choose": {"en": "Data sharing", "fr": "Partage de données"},
    "connections": {"en": "Data sharing", "fr": "Partage de données"},
    "active": {"en": "You share data with ", "fr": "Vous partagez des données avec "},
    "ended": {"en": "You no longer share this data with ", "fr": "Vous ne partagez plus ces données avec "},
    "stop": {"en": "Stop sharing with ", "fr": "Cesser le partage avec "},
    "stop_one": {
        "en": "Stop sharing “",
        "fr": "Cesser de partager « ",
    },
    "connection_unknown": {
        "en": "We cannot find this data sharing",
        "fr": "Nous ne trouvons pas ce partage de données",
    },
    "stop_refused": {
        "en": "We could not accept this form",
        "fr": "Nous n’avons pas pu accepter ce formulaire",
    },
    "not_stopped": {
        "en": "We could not stop the sharing",
        "fr": "Nous n’avons pas pu faire cesser le partage",
    },
    "bad_request": {"en": "We could not read this request", "fr": "Nous n’avons pas pu lire cette demande"},
    "cookies_blocked": {
        "en": "We did not get a cookie we need",
        "fr": "Nous n’avons pas reçu un témoin dont nous avons besoin",
    },
    "form_refused": {
        "en": "We could not accept this form",
        "fr": "Nous n’avons pas pu accepter ce formulaire",
    },
    "not_allowed": {
        "en": "This page cannot be opened this way",
        "fr": "Cette page ne peut pas être ouverte de cette façon",
    },
    "not_found": {"en": "We cannot find this page", "fr": "Nous ne trouvons pas cette page"},
    "request_expired": {"en": "The time to answer has run out", "fr": "Le temps pour répondre est écoulé"},
    "request_lost": {"en": "We cannot find this request", "fr": "Nous ne trouvons pas cette demande"},
    "session_over": {"en": "Your session has ended", "fr": "Votre session a pris fin"},
    "sign_in_lost": {
        "en": "We cannot find this sign-in",
        "fr": "Nous ne trouvons pas cette ouverture de session",
    },
    "sign_in_used": {"en": "This sign-in is over", "fr": "Cette ouverture de session est terminée"},
    "not_signed_in": {"en": "You are not signed in", "fr": "Vous n’avez pas ouvert de session"},
    "unproven": {
        "en": "We could not check who you are",
        "fr": "Nous n’avons pas pu vérifier qui vous êtes",
    },
    "not_asked": {
        "en": "Harbour Trust did not ask who you are",
        "fr": "Fiducie du Port ne vous a pas demandé qui vous êtes",
    },
    "bank_unavailable": {
        "en": "Signing in to Harbour Trust is not working right now",
        "fr": "L’ouverture de session chez Fiducie du Port ne fonctionne pas en ce moment",
    },
    "bank_busy": {
        "en": "Many people are signing in to Harbour Trust right now",
        "fr": "Beaucoup de gens ouvrent une session chez Fiducie du Port en ce moment",
    },
    "too_many": {
        "en": "Too many requests are coming from your network",
        "fr": "Trop de demandes proviennent de votre réseau",
    },
    "unavailable": {
        "en": "This service is not working right now",
        "fr": "Ce service ne fonctionne pas en ce moment",
    },
    "unexpected": {"en": "Something went wrong on our side", "fr": "Un problème est survenu de notre côté"},
    "unsafe_client": {"en": "We cannot open this request", "fr": "Nous ne pouvons pas ouvrir cette demande"},
    "unsafe_redirect": {
        "en": "We stopped this request to protect you",
        "fr": "Nous avons arrêté cette demande pour vous protéger",
    },
}

NOTHING_SHARED = {
    "en": "We did not share any data.",
    "fr": "Nous n’avons partagé aucune donnée.",
}
NOTHING_RECORDED = {
    "en": "We did not record what you just sent, and we did not share any data because of it.",
    "fr": "Nous n’avons pas enregistré ce que vous venez d’envoyer, et cet envoi n’a entraîné aucun partage",
}
# Where an answer may have been given before.
_NOTHING_NEW = {"en": "Nothing new was shared.", "fr": "Rien de nouveau n’a été partagé."}
_ASSURANCES = dict.fromkeys(
    ("cookies_blocked", "request_lost", "session_over", "unavailable", "unexpected"), _NOTHING_NEW
)
REFERENCE = {"en": "Reference number: ", "fr": "Numéro de référence : "}


def check_page(response: TestResponse, name: str, lang: str, *, status: int = 200) -> Element:
    """The elements of the answer, which is the page `name` in the language `lang`."""
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    page = parse_page(response.text)
    assert page.one("html").attributes["lang"] == f"{lang}-CA"
    assert page.one("h1").text.startswith(HEADINGS[name][lang].rstrip()), page.one("h1").text
    return page


def check_error_page(
    response: TestResponse,
    name: str,
    lang: str,
    *,
    status: int,
    assurance: dict[str, str] | None = None,
) -> Element:
    """The same for a page that says what went wrong: it begins with whether anything was shared."""
    page = check_page(response, name, lang, status=status)
    said = assurance or _ASSURANCES.get(name, NOTHING_SHARED)
    assert page.one("main").all("p")[0].text.startswith(said[lang])
    digits = response.headers["ob-trace-id"][:12].upper()
    reference = f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"
    assert REFERENCE[lang] + reference in page.one("main").text
    assert "Location" not in response.headers
    return page


def complaints_page(lang: str) -> str:
    """Where a page leads that is about no bank."""
    return f"/complaints?lang={lang}"


def ways_out(page: Element) -> list[str]:
    """Where the page's links and forms lead, the switch to the other language apart."""
    links = [link.attributes["href"] for link in page.all("a") if "hreflang" not in link.attributes]
    return links + [form.attributes["action"] for form in page.all("form")]


def check_json(response: TestResponse, error: str, *, status: int) -> None:
    """A refusal for machines (RFC 6749 5.2)."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    assert response.json is not None
    assert response.json.keys() == {"error", "error_description"}
    assert response.json["error"] == error
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
