"""Re-decides a journal and compares: the same inputs on the recorded state must give the recorded facts."""

from collections.abc import Callable, Iterable

import msgspec

from rules import fills, quiet
from rules.decide import decide
from rules.settings import Settings
from state.applying import apply
from state.errors import Diverged
from state.facts import AnyFact, subject_of
from state.frames import Body
from state.inputs import AnyInput, BrokerReported, ConfigAdopted, ReportKind, TicksPassed
from state.portfolio import Portfolio
from state.record import decode


class Verified(msgspec.Struct, frozen=True):
    """How far a verification came: records read, judged again, decided by another code version; facts found equal."""

    records: int
    judged: int
    other_version: int
    facts: int


class Verifier:
    """Folds records one by one and judges them again."""

    paper = False
    """Whether the paper broker reported, so that its reports must follow from the market as the decisions do."""

    def __init__(self, *, settings_of: Callable[[bytes], Settings], code_version: str, any_version: bool) -> None:
        """`any_version` also judges what another version of the code decided."""
        self.portfolio = Portfolio()
        self._settings_of = settings_of
        self._settings = Settings()
        self._code_version = code_version
        self._any_version = any_version
        self._records = self._judged = self._facts = 0

    @property
    def verified(self) -> Verified:
        """The counts so far."""
        return Verified(self._records, self._judged, self._records - self._judged, self._facts)

    def take(self, body: Body) -> None:
        """Judge one record; raises Diverged naming the record, the unit and both sides of the first difference."""
        record = decode(body.payload, body.schema)
        portfolio = self.portfolio
        judged = self._any_version or body.code_version == self._code_version
        if judged and self.paper and isinstance(record.input, BrokerReported):
            self._compare_report(body, record.input)
        if judged and isinstance(record.input, TicksPassed):
            self._compare_passing(body, record.input)
        portfolio.take_in(record.input, lsn=body.lsn, seen_at=body.seen_at)
        if isinstance(record.input, ConfigAdopted):
            self._settings = self._settings_of(record.input.body)
        self._records += 1
        if judged:
            self._judged += 1
            compare(body, record.input, recorded=record.facts, decided=decide(portfolio, record.input, self._settings))
            self._facts += len(record.facts)
        else:
            for fact in record.facts:
                apply(portfolio, fact)
        portfolio.check()

    def _compare_report(self, body: Body, told: BrokerReported) -> None:
        """Raise Diverged unless the paper broker says again what it said; its own faults are not judged."""
        order = self.portfolio.order_of(told.order_id)
        if told.kind is ReportKind.FAILED or not order.working:
            return
        said = fills.report_on(self.portfolio, order, self._settings.fills, self._settings.ticks)
        if said != told:
            raise Diverged(
                f"record {body.lsn} (BrokerReported), unit {told.order_id}:\n  recorded: {_shown(told)}\n"
                f"  decided:  {'nothing' if said is None else _shown(said)}\n"
                "the paper broker in use is not the one that reported it"
            )

    def _compare_passing(self, body: Body, told: TicksPassed) -> None:
        """Raise Diverged unless every tick that passed decides nothing."""
        told.ticks.check(self.portfolio.now, len(self.portfolio.market.contracts))
        passing = quiet.passing(self.portfolio, told.ticks, self._settings)
        if passing < len(told.ticks):
            raise Diverged(
                f"record {body.lsn} (TicksPassed), tick {passing + 1} of {len(told.ticks)}:\n  recorded: nothing\n"
                "  decided:  something is due then\n"
                "the rules in use are not those that let it pass; compare the code versions with `oracle journal inspect`"
            )


def _shown(side: msgspec.Struct) -> str:
    return msgspec.json.encode(side).decode()


def verify(
    bodies: Iterable[Body],
    *,
    settings_of: Callable[[bytes], Settings],
    code_version: str,
    any_version: bool = False,
) -> Verified:
    """Judge a whole journal again. Raises Diverged at the first difference."""
    verifier = Verifier(settings_of=settings_of, code_version=code_version, any_version=any_version)
    for body in bodies:
        verifier.take(body)
    return verifier.verified


def compare(body: Body, told: AnyInput, *, recorded: tuple[AnyFact, ...], decided: tuple[AnyFact, ...]) -> None:
    """Raise Diverged when two decisions on one input differ, naming the unit of the first difference."""
    if recorded == decided:
        return
    index = next(
        (at for at, (one, other) in enumerate(zip(recorded, decided, strict=False)) if one != other),
        min(len(recorded), len(decided)),
    )
    sides = [side[index] if index < len(side) else None for side in (recorded, decided)]
    unit = next(subject_of(side) for side in sides if side is not None)
    shown = ["nothing" if side is None else _shown(side) for side in sides]
    raise Diverged(
        f"record {body.lsn} ({type(told).__name__}), unit {unit}, fact {index + 1}:\n"
        f"  recorded: {shown[0]}\n  decided:  {shown[1]}\n"
        "the rules in use are not those that decided it; compare the code versions with `oracle journal inspect`"
    )
