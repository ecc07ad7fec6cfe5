"""Who is the customer? The one real plug: a bank's own sign-in, or test customers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who signed in at a provider. `subject` is stable; `display_name` is for their eyes only."""

    provider_id: str
    subject: str
    display_name: str
