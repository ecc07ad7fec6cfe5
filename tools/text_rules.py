"""The typographic rules of texts: Canadian French, English with typographic quotation marks, no markup."""

import re

NBSP = "\N{NO-BREAK SPACE}"

# The rules for every language: the fault, the pattern that finds it, and an example with the fault.
EVERYWHERE = (
    ("a straight apostrophe", r"'", "l'accord"),
    ("a straight quotation mark", r'"', 'choisissez "Continuer"'),
    ("three dots for an ellipsis", r"\.\.\.", "Un instant..."),
    ("a double space", r"[^\S\n]{2}", "deux  espaces"),
    ("a space at an end", r"^\s|\s$", "Continuer "),
    # A page contains the texts as they are, so that a translator must not write HTML.
    ("markup", r"[<>&]", "<b>Continuer</b>"),
)
FRENCH = (
    ("an English quotation mark", r"[“”]", "choisissez “Continuer”"),
    ("no no-break space after «", rf"«(?!{NBSP}\S)", f"« Continuer{NBSP}»"),
    ("no no-break space before »", rf"(?<!\S{NBSP})»", f"«{NBSP}Continuer »"),
    ("no no-break space before a colon", rf"(?<!\S{NBSP}):", "Erreur : oui"),
    ("no no-break space before a colon, no space at all", rf"(?<!\S{NBSP}):", "Erreur: oui"),
    ("no no-break space before a per cent sign", rf"(?<!\S{NBSP})%%", "12 %% par an"),
    ("a space before ; ! ?", r"\s[;!?]", "Vraiment ?"),
    ("a no-break space before ; ! ?", r"\s[;!?]", f"Vraiment{NBSP}?"),
    # A bank's name has an article in French, which no sentence can know: “à la Banque du Nord”.
    (
        "a bank's name right after a preposition",
        r"\b(?:à|de|chez|par|sur|pour) %\(provider\)s",
        "Votre session chez %(provider)s est fermée.",
    ),
    # After “de”, a name that begins with a vowel has an apostrophe.
    (
        "a recipient's name right after de or chez",
        r"\b(?:de|chez) %\(recipient\)s",
        "Adressez-vous auprès de %(recipient)s.",
    ),
    ("a narrow no-break space", "\N{NARROW NO-BREAK SPACE}", "Vraiment\N{NARROW NO-BREAK SPACE}?"),
)
RULES = {"fr": (*EVERYWHERE, *FRENCH)}


def setting_faults(text: str, language: str) -> list[str]:
    """The names of the rules that `text` breaks."""
    return [name for name, pattern, _ in RULES.get(language, EVERYWHERE) if re.search(pattern, text)]
