"""The small network that follows faces between the looks of a larger one."""

from __future__ import annotations

from functools import cached_property

from model.errors import InputError
from model.markup import Markup
from model.zoo import shipped
from tracker.engines.base import Engine, is_on_processor
from tracker.engines.create import create_engine
from tracker.system.stopwatch import Stopwatch
from tracker.tracking.landmark_network import LandmarkNetwork
from tracker.tracking.options import AUTO_FOLLOWER, SAME, TrackerOptions

# Shipped networks that another one follows by itself: on a processor their looks are most of what a
# frame takes.
_FOLLOWERS = {"propnet-m": "propnet-xs", "propnet-s": "propnet-xs"}


def choose_follower(weights: str | None, engine: Engine, options: TrackerOptions) -> str | None:
    """Weights of the network that follows faces.

    Args:
        weights: of the network that finds and corrects them; None if only its engine is known.
        engine: that network.
        options: of the tracker, whose `follower` this is about.

    Returns:
        A shipped name or a path; None if one network is to look at every frame.
    """
    if options.follower == SAME:
        return None
    if options.follower != AUTO_FOLLOWER:
        return options.follower
    # A GPU has time for the large one, and maps are wanted of the network that was asked for.
    if weights is None or options.maps or not is_on_processor(engine.description):
        return None
    name = _FOLLOWERS.get(weights)
    return name if name and f"{name}.onnx" in shipped() else None


class Follower:
    """A small network beside a large one.

    It is loaded when it is first asked for, which takes a third of a second, and a whole one where
    it has to be compiled: a picture needs not wait for that. At once if it was named in the
    options, which may be wrong.

    Args:
        weights: a shipped name or a path.
        engine: a name for `tracker.engines.create.create_engine`.
        markup: of the large network, which it must have, too.
        options: of the tracker.
        stopwatch: gets the stages of a `LandmarkNetwork`.

    Raises:
        InputError: a network that was named cannot be used, or has other landmarks.
    """

    def __init__(
        self,
        weights: str,
        engine: str,
        *,
        markup: Markup,
        options: TrackerOptions,
        stopwatch: Stopwatch,
    ) -> None:
        self.weights = weights
        self._engine_name, self._markup = engine, markup
        self._options, self._stopwatch = options, stopwatch
        self._engine: Engine | None = None
        if options.follower != AUTO_FOLLOWER:
            self.load()

    def load(self) -> None:
        """Load the network now.

        Raises:
            InputError: as `network`.
        """
        self.network  # noqa: B018

    @cached_property
    def network(self) -> LandmarkNetwork:
        """The network.

        Raises:
            InputError: its weights cannot be used, or have other landmarks.
        """
        options = self._options
        engine = create_engine(self._engine_name, self.weights, options.threads, options.precision)
        markup = engine.info.markup
        if markup != self._markup:
            engine.close()
            raise InputError(
                f"the follower {self.weights} has the landmarks {markup} and cannot follow "
                f"{self._markup}: choose another, or 'same'."
            )
        self._engine = engine
        return LandmarkNetwork(engine, options.decoder, self._stopwatch)

    def close(self) -> None:
        """Release the network, if it was loaded."""
        if self._engine is not None:
            self._engine.close()
