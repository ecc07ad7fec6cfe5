"""What pages say, out of the catalogues: each sentence that a test names is here once.

Whoever changes a French text changes no test; whoever changes an English one changes its line here, which
`tests/test_texts.py` asks for.
"""

import gettext
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import BytesIO

import polib

from app.domain.language import Language
from tests.support.repository import ROOT


class ByLanguage(Mapping[str, str]):
    """What is said in each language, found when somebody asks."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self._say = say

    def __getitem__(self, lang: str) -> str:
        """With its whitespace as `Element.text` has it."""
        return " ".join(self._say(lang).split())

    def __iter__(self) -> Iterator[str]:
        return iter(Language)

    def __len__(self) -> int:
        return len(Language)


class Text(ByLanguage):
    """A text of the catalogues: `Text("Receipt")["fr"]` is all of it."""

    def __init__(self, msgid: str, plural: str | None = None, *, context: str | None = None) -> None:
        super().__init__(self._whole)
        self.msgid, self.plural, self.context = msgid, plural, context

    def of(self, **fields: str | int | Mapping[str, str]) -> ByLanguage:
        """The text with its fields, which may differ by language. `num` decides the plural."""
        num = fields.get("num", 1)
        return ByLanguage(
            lambda lang: (
                self._translated(lang, num if isinstance(num, int) else 1)
                % {
                    name: value[lang] if isinstance(value, Mapping) else value
                    for name, value in fields.items()
                }
            )
        )

    @property
    def beginning(self) -> ByLanguage:
        """What is before the first field."""
        return ByLanguage(lambda lang: self._translated(lang).partition("%(")[0])

    def is_in_the_catalogue(self, lang: str) -> bool:
        return any(
            (entry.msgctxt, entry.msgid, entry.msgid_plural or None)
            == (self.context, self.msgid, self.plural)
            for entry in _catalogue(lang)[0]
        )

    def _whole(self, lang: str) -> str:
        assert "%(" not in self.msgid, f"“{self.msgid}” has fields"
        return self._translated(lang)

    def _translated(self, lang: str, num: int = 1) -> str:
        assert self.is_in_the_catalogue(lang), f"no text is “{self.msgid}”: tests/support/texts.py names it"
        known = _catalogue(lang)[1]
        if self.plural is not None:
            return known.ngettext(self.msgid, self.plural, num)
        return known.gettext(self.msgid) if self.context is None else known.pgettext(self.context, self.msgid)


@cache
def _catalogue(lang: str) -> tuple[polib.POFile, gettext.NullTranslations]:
    texts = polib.pofile(ROOT / "translations" / lang / "LC_MESSAGES" / "messages.po")
    return texts, gettext.GNUTranslations(BytesIO(texts.to_binary()))


# Who and when, in the demo's registration on the day of the tests

BUDGET_COMPASS = {"en": "Budget Compass", "fr": "Boussole Budget"}
PRAIRIE_LOANS = {"en": "Prairie Loans", "fr": "Prêts des Prairies"}
MAPLE = {"en": "Maple Credit Union", "fr": "Caisse Érable"}
NORTHERN = {"en": "Northern Bank", "fr": "Banque du Nord"}
HARBOUR = {"en": "Harbour Trust", "fr": "Fiducie du Port"}
TODAY = {"en": "November 24, 2026", "fr": "24 novembre 2026"}
NOON = {"en": "November 24, 2026 at 7:00 a.m. (EST)", "fr": "24 novembre 2026 à 07 h 00 (HNE)"}
IN_15_MINUTES = {"en": "7:15 a.m. (EST)", "fr": "07 h 15 (HNE)"}
IN_A_YEAR = {"en": "November 24, 2027", "fr": "24 novembre 2027"}
BUDGET_COMPASS_INC = {"en": "Budget Compass Technologies Inc.", "fr": "Technologies Boussole Budget inc."}
PURPOSE_OF_BUDGET_COMPASS = {
    "en": "To show all your accounts in one place and help you plan your spending.",
    "fr": "Pour montrer tous vos comptes au même endroit et vous aider à planifier vos dépenses.",
}
PURPOSE_OF_PRAIRIE_LOANS = {
    "en": "To check that you can afford the loan you asked for.",
    "fr": "Pour vérifier que vous avez les moyens de rembourser le prêt que vous avez demandé.",
}

# Headings

WHICH_ACCOUNTS = Text("Which accounts do you want to share?")
NO_ACCOUNT = Text("You have no account that can be shared")
NO_ACCOUNT_HAS_WHAT_IS_NEEDED = Text("No account you can share has what %(recipient)s needs")
SHARE_YOUR_DATA = Text("Share your data with %(recipient)s?")
KEEP_SHARING_YOUR_DATA = Text("Keep sharing your data with %(recipient)s?")
ALREADY_ANSWERED = Text("You already answered this request")
CONTINUE_TO = Text("Continue to %(recipient)s")
SIGN_IN = Text("Sign in")
SIGNED_OUT = Text("You are signed out")
HOW_TO_COMPLAIN = Text("How to make a complaint")
DATA_SHARING = Text("Data sharing")
YOU_SHARE_DATA_WITH = Text("You share data with %(recipient)s")
YOU_NO_LONGER_SHARE_WITH = Text("You no longer share this data with %(recipient)s")
STOP_SHARING_WITH = Text("Stop sharing with %(recipient)s?")
STOP_SHARING_ONE = Text("Stop sharing “%(cluster)s” with %(recipient)s?")
CONNECTION_UNKNOWN = Text("We cannot find this data sharing")
FORM_REFUSED = Text("We could not accept this form")
NOT_STOPPED = Text("We could not stop the sharing")
BAD_REQUEST = Text("We could not read this request")
COOKIES_BLOCKED = Text("We need a cookie that your browser did not send")
NOT_ALLOWED = Text("This page cannot be opened this way")
NOT_FOUND = Text("We cannot find this page")
REQUEST_EXPIRED = Text("The time to answer has run out")
REQUEST_LOST = Text("We cannot find this request")
SESSION_OVER = Text("Your session has ended")
SIGN_IN_LOST = Text("We cannot find this sign-in")
SIGN_IN_USED = Text("This sign-in is over")
NOT_SIGNED_IN = Text("You are not signed in")
UNPROVEN = Text("We could not check who you are")
NOT_ASKED_BY_BANK = Text("%(provider)s did not ask who you are")
BANK_UNAVAILABLE = Text("Signing in to %(provider)s is not working right now")
BANK_BUSY = Text("Many people are signing in to %(provider)s right now")
TOO_MANY = Text("Too many requests are coming from your network")
UNAVAILABLE = Text("This service is not working right now")
UNEXPECTED = Text("Something went wrong on our side")
UNSAFE_CLIENT = Text("We cannot open this request")
UNSAFE_REDIRECT = Text("We stopped this request to protect you")

# Whether anything was shared

NOTHING_SHARED = Text("We did not share any data.")
NOTHING_RECORDED = Text("We did not record what you just sent, and we did not share any data because of it.")
NOTHING_NEW = Text("Nothing new was shared.")
NOTHING_CHANGED = Text("Nothing was shared or changed.")
NOT_STOPPED_BY_FORM = Text("This form did not stop or change any sharing.")
MAYBE_STILL_SHARED = Text("We could not record your answer. Your data may still be shared.")
TIME_IS_OVER = Text("Your time to answer has run out. Nothing was shared here.")

REQUEST_HAS_CHANGED = Text(
    "This request has changed since you read it. Nothing new was shared. Please read it again, then choose."
)

# Around a page

REFERENCE_NUMBER = Text("Reference number: %(reference)s")
ERROR_IN_TITLE = Text("Error: %(title)s")
CONTINUE = Text("Continue", context="button")
TRY_AGAIN = Text("Try again", context="button")
GO_BACK_WITHOUT_SHARING = Text("Go back to %(recipient)s without sharing")
WAIT_THEN_START_AGAIN = Text(
    "Wait %(time)s. Then go back to the app or website that sent you here and start again."
)

# The form

WHAT_DO_YOU_AGREE_TO_SHARE = Text("What do you agree to share?")
BEFORE_YOU_ANSWER = Text("Before you answer")
THEY_GET = Text("They get")
WHY_THEY_ASK = Text("Why: %(purpose)s")
NO_PURPOSE = Text("%(recipient)s did not tell us why. Check with them before you share.")
ASKS_ON_BEHALF_OF = Text("%(agent)s is asking on behalf of %(recipient)s.")
THEN_IT_STOPS = Text("%(end_date)s. Then it stops, unless you agree again")
UP_TO_MONTHS = Text("Up to %(num)s month", "Up to %(num)s months")
TO_STOP = Text("To stop")
STOP_ANY_TIME = Text("Any time, on %(page)s. No reason needed")
EITHER_WAY = Text("Either way, you go back to %(recipient)s (%(host)s).")
YOU_HAVE_UNTIL = Text("You have until %(clock_time)s.")
DO_NOT_SHARE = Text("Do not share")
SHARE_MY_DATA = Text("Share my data")
CHOOSE_ONE_OF_THEM = Text("Choose “Do not share” or “Share my data”.")
ALL_OR_NOTHING = Text("%(recipient)s asks for all of this together. You can share all of it or none of it.")
NOT_AVAILABLE = Text("%(cluster)s: not available at %(provider)s.")
NEEDED = Text("Needed", context="mark")
NEW = Text("New", context="mark")
YOU_SHARE_THIS_NOW = Text("You share this now")
YOU_ALREADY_SHARE = Text("You already share data with %(recipient)s, until %(end_date)s.")
NEW_ANSWER_REPLACES = Text(
    "If you choose “Share my data”, your new answer replaces the old one. Anything you leave unchecked stops."
)
DENIAL_CHANGES_NOTHING = Text("If you choose “Do not share”, what you share now stays as it was.")

# When no box is checked

YOU_CHECKED_NO_BOX = Text("You checked no box")
WOULD_GET_ONLY = Text("%(recipient)s would get only: %(clusters)s.")
ALSO_ASKED_FOR = Text(
    "It also asked for %(num)s other type of data.", "It also asked for %(num)s other types of data."
)
SHARE_ONLY_THIS = Text("Share only this")

# When nothing new is asked for

WHAT_YOU_SHARE_NOW = Text("What you share now")
NOT_SHARED_AS_BEFORE = Text("Not shared, as before: %(clusters)s.")
INSTEAD_OF = Text("%(end_date)s, instead of %(earlier_date)s. Then it stops, unless you agree again")
DO_NOT_RENEW = Text("Do not renew")
KEEP_SHARING_THE_SAME = Text("Keep sharing the same")

# After the answer

YOU_CHOSE_TO_SHARE_ON = Text("You chose to share data with %(recipient)s on %(moment)s.")
YOU_CHOSE_NOT_TO_SHARE_ON = Text(
    "You chose not to share your data with %(recipient)s on %(moment)s. That answer did not share any data."
)
YOU_CHOSE_NOT_TO_SHARE = Text(
    "You chose not to share your data with %(recipient)s. That answer did not share any data."
)

# Signing in

SIGN_IN_TO_CONTINUE = Text(
    "Sign in to continue to %(recipient)s. On the next page, you decide what to share."
)
SIGN_IN_TO_SEE = Text("Sign in to see what you share.")
SIGN_IN_FAILED = Text("That sign-in did not work. Check what you typed and try again.")
TOO_MANY_TRIES = Text("There were too many tries. Wait %(time)s, then try again.")
YOU_ARE_SIGNED_IN = Text("You are signed in.")
SIGNED_IN_AS = Text("Signed in as %(customer)s.")
SIGNED_IN_AT = Text("Signed in as %(customer)s at %(provider)s.")

# Connections

SIGN_OUT = Text("Sign out", context="button")
SIGN_OUT_AT_ALL = Text("Sign out at all these banks", context="button")
YOU_SHARE_NOTHING = Text("You do not share any data right now. What you agree to share is shown here.")
DATA = Text("Data", context="label")
BANK = Text("Bank", context="label")
STARTED = Text("Started", context="label")
ENDS = Text("Ends", context="label")
ENDED = Text("Ended", context="label")
UNTIL_IN_HEADING = Text("%(recipient)s, until %(date)s")
WAITS_FOR_YOU = Text("%(recipient)s waits for your answer.")
GO_BACK_TO_REQUEST = Text("Go back to the request")
LAST_USED = Text("Last used")
NOT_YET = Text("Not yet")
WHAT_HAS_ENDED = Text("What has ended")
OLDER = Text("Older sharing that has ended")
NEWEST = Text("Newest sharing that has ended")
YOU_STOPPED = Text("You stopped sharing with %(recipient)s on %(date)s.")
WE_ARE_TELLING = Text("We are telling %(recipient)s that you stopped.")
GOT_OUR_NOTICE = Text("%(recipient)s got our notice.")
A_REMINDER = Text("A reminder for %(recipient)s: the sharing ends soon.")
YOU_STOPPED_A_PART = Text("You stopped sharing part of it on %(date)s: %(clusters)s.")
RECIPIENT_ENDED_IT = Text("%(recipient)s ended the sharing on %(date)s.")
REPLACED = Text("You replaced this with a newer answer on %(date)s.")
ENDED_TO_PROTECT = Text(
    "We ended the sharing on %(date)s to protect you: a code that works only once was used twice."
)
BANK_ENDED_IT = Text("%(provider)s ended the sharing with %(recipient)s on %(date)s.")
ENDED_AS_PLANNED = Text("Sharing with %(recipient)s ended on %(date)s, as planned.")
ON_HOLD = Text("%(recipient)s cannot get your data right now. You can still stop the sharing.")
NOW_CALLED = Text("%(recipient)s is now called %(new_name)s.")
CAN_GET_YOUR_DATA = Text("%(recipient)s can get your data from %(provider)s until %(end_date)s.")
NO_LONGER_REGISTERED = Text("%(client_id)s (a company that is no longer registered)")
REMINDER = Text("Sharing with %(recipient)s ends (%(provider)s)")

STOP_SHARING = Text("Stop sharing")
STOP_ALL_SHARING = Text("Stop all sharing")
NEW_TAB = Text("%(page)s (new tab)")

# The receipt, and what happened

RECEIPT = Text("Receipt")
HISTORY = Text("History")
WHO_GETS_THE_DATA = Text("Who gets the data")
LEGAL_NAME = Text("Legal name: %(legal_name)s")
WHY = Text("Why", context="label")
RECEIPT_NUMBER = Text("Receipt number")
HOW_TO_STOP = Text("How to stop")
RECIPIENT_ASKED = Text("%(recipient)s asked for your data.")
YOU_CHOSE_TO_SHARE = Text("You chose to share your data.")
FIRST_ACCESS = Text("%(recipient)s got access for the first time.")
YOU_STOPPED_PART_OF_IT = Text("You stopped sharing part of it: %(clusters)s.")
YOU_STOPPED_THE_SHARING = Text("You stopped the sharing.")

# Before something stops

WILL_STOP_GETTING = Text("%(recipient)s will stop getting:")
STOPS_AT_ONCE = Text("Sharing stops right away.")
ALL_OF_IT_STOPS = Text("Everything else depends on this. If it stops, all sharing stops: %(cluster)s.")
NEEDED_BY_RECIPIENT = Text(
    "%(recipient)s told us that it cannot offer its service without this data. Talk to them first if you are not sure."
)
KEEPS_OLD_DATA = Text("%(recipient)s keeps the data it already has. To have it deleted, contact %(contact)s.")
STATEMENTS_STILL_SHOW = Text("A statement can still show your name, address, balances and transactions.")

# Data

ACCOUNT_BASIC = Text("Basic account details")
TRANSACTIONS = Text("Transactions")
STATEMENTS = Text("Account statements (PDF)")
INVESTMENTS = Text("Investments")
CUSTOMER_CONTACT = Text("Contact information")
STATEMENTS_REPEAT_OTHERS = Text(
    "Copies of the statements of the accounts you share. A statement can show your name, address, balances "
    "and transactions, even if you leave those out here."
)
CREDIT_LIMIT = Text("Credit limit")
CURRENCY = Text("Currency")
DATE = Text("Date")
WHO_SENT_OR_GOT_THE_MONEY = Text("Who sent or got the money")

DETAILS = Text("Details")
SHARED_HERE = Text("Shared here")
NOT_SHARED_HERE = Text("Not shared here")

# Time to answer

LESS_THAN_2_MINUTES = Text("Less than 2 minutes are left to answer.")
GET_MORE_TIME = Text("Get more time")
START_AGAIN = Text("Start again")

# Accounts

ACCOUNT = Text("Account", "Accounts")
ALL_ACCOUNTS = Text("All")
CHECK_ALL_NUMBER = Text("Check all (%(num)s)")
JOINT_ACCOUNT = Text("Joint account. It also shows what the other owners do.")
CANNOT_BE_SHARED = Text("Cannot be shared (%(num)s)")
ACCOUNT_CLOSED = Text("This account is closed.")
LACKS_INVESTMENTS = Text(
    "%(recipient)s cannot work without investments, and no account that can be shared has any."
)
ACCOUNT_BLOCKED = Text("This account is blocked right now. Contact %(provider)s.")
CHECK_AT_LEAST_ONE_ACCOUNT = Text("Check at least one account, or choose “Do not share”.")
NEEDS_INVESTMENTS = Text(
    "%(recipient)s needs investments. Check an account that has some, or choose “Do not share”."
)
FROM_WHICH_ACCOUNTS = Text("From which accounts")
ALL_YOUR_ACCOUNTS = Text("All your accounts at %(provider)s")
ENDING_IN = Text(", ending in %(digits)s")
STOP_ONLY_THIS_ACCOUNT = Text("Stop sharing only this account: %(account)s")
STOP_SHARING_THIS_ACCOUNT = Text("Stop sharing this account with %(recipient)s?")
LAST_ACCOUNT = Text("This is the last account you share here. All sharing with %(recipient)s stops.")
TO_SHARE_ANOTHER_ACCOUNT = Text("To share another account, go to %(recipient)s and connect your bank again.")
YOU_STOPPED_AN_ACCOUNT = Text("You stopped sharing an account on %(date)s: %(account)s.")
YOU_STOPPED_SHARING_AN_ACCOUNT = Text("You stopped sharing an account: %(account)s.")
BANK_ENDED_AN_ACCOUNT = Text("%(provider)s ended the sharing of an account: %(account)s.")
ACCOUNTS_CHANGED = Text("Your list of accounts has changed. Check your choice again.")
NONE_CHOSEN_HAS_THIS = Text("None of the accounts you chose has this")
FIRST_ACCOUNTS = Text("Only the first %(num)s accounts are listed. For others, contact %(provider)s.")
