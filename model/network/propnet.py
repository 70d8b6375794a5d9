"""PropNet: stacked hourglasses with propagation modules between them (the paper's Fig. 6)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from model.config import PropNetConfig
from model.network.antialias import BlurPool, BlurredConv, downsample
from model.network.blocks import BLOCKS
from model.network.coordconv import AddCoords
from model.network.hourglass import Hourglass
from model.network.propagation import PropagationModule


class StackOutput(NamedTuple):
    """What one hourglass predicts.

    Attributes:
        landmarks: [N, K, S/4, S/4] landmark heatmaps.
        boundaries: [N, M, S/4, S/4] boundary heatmaps, None without propagation.
        attention: [N, C, S/4, S/4] in (0, 1), None where nothing computes it.
    """

    landmarks: Tensor
    boundaries: Tensor | None
    attention: Tensor | None


# Maps that fewer channels would not make faster.
_NARROWEST = 16


class Stem(nn.Module):
    """Image to features at a quarter of its size.

    The strided 7 x 7 convolution sees a blurred image: filtering before it equals filtering its
    unstrided result (both are linear) at a quarter of the cost, which is what Table 8 allows.
    """

    def __init__(self, config: PropNetConfig) -> None:
        super().__init__()
        channels, make = config.channels, BLOCKS[config.block]
        kernel = config.blur_kernel
        inputs = 6 if config.coord_conv else 3
        folds = config.folds
        least = _NARROWEST if folds else 1
        first, half = max(channels // 4, least), max(channels // 2, least)
        self.blur = BlurPool(3, kernel, stride=1) if kernel and not folds else nn.Identity()
        self.coords = AddCoords() if config.coord_conv else nn.Identity()
        self.conv = nn.Sequential(
            BlurredConv(inputs, first, 7, kernel)
            if folds
            else nn.Conv2d(inputs, first, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(
            make(first, half),
            downsample(half, kernel),
            make(half, half),
            make(half, channels),
        )

    def forward(self, image: Tensor) -> Tensor:
        """[N, 3, S, S] -> [N, C, S/4, S/4]."""
        features: Tensor = self.blocks(self.conv(self.coords(self.blur(image))))
        return features


class Stack(nn.Module):
    """One hourglass with its landmark head and, if configured, its propagation module.

    Args:
        config: the network's configuration.
        first: the first stack has no boundary maps to mask its coordinates with.
        last: the last stack passes no features on.
    """

    def __init__(self, config: PropNetConfig, first: bool, last: bool) -> None:
        super().__init__()
        markup = config.markup
        channels, make = config.channels, BLOCKS[config.block]
        masked = config.propagation and not first
        self.coords = AddCoords(masked) if config.coord_conv else None
        extra = (5 if masked else 3) if config.coord_conv else 0
        self.enter: nn.Module = nn.Conv2d(channels + extra, channels, 1)
        self.hourglass = Hourglass(
            config.depth, channels, config.block, config.blur_kernel, config.widths
        )
        self.leave = nn.Sequential(
            make(channels, channels),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.to_landmarks: nn.Module = nn.Conv2d(channels, markup.points, 1)
        self.propagation = (
            PropagationModule(
                landmarks=markup.points,
                boundaries=len(markup.curves),
                channels=channels,
                block=config.block,
                blur_kernel=config.blur_kernel,
                depth=config.attention_depth,
                attends=not last or config.last_attention,
            )
            if config.propagation
            else None
        )
        if last and self.propagation is not None and self.propagation.attends:
            self.propagation.freeze_attention()
        self.merge_features = None if last else nn.Conv2d(channels, channels, 1)
        self.merge_landmarks = None if last else nn.Conv2d(markup.points, channels, 1)

    def predict(self, x: Tensor, boundaries: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features [N, C, H, W] and landmark maps [N, K, H, W] of this stack."""
        if self.coords is not None:
            entered = self.enter(self.coords(x, boundaries))
        elif isinstance(self.enter, nn.Conv2d):
            entered = self.enter(x)
        else:  # folded: see `model.network.fold`
            entered = self.enter(x, boundaries)
        features = self.leave(self.hourglass(entered))
        return features, self.to_landmarks(features)

    def forward(self, x: Tensor, boundaries: Tensor | None) -> tuple[StackOutput, Tensor | None]:
        """This stack's prediction, and the features for the next (None after the last)."""
        features, landmarks = self.predict(x, boundaries)
        if self.propagation is None:
            output = StackOutput(landmarks, None, None)
            attended = features
        else:
            own_boundaries = self.propagation.boundary_maps(landmarks)
            attention = None
            if self.propagation.attends:
                attention = self.propagation.attention(features, own_boundaries)
            output = StackOutput(landmarks, own_boundaries, attention)
            attended = features if attention is None else features * attention
        if self.merge_features is None or self.merge_landmarks is None:
            return output, None
        return output, x + self.merge_features(attended) + self.merge_landmarks(landmarks)


class PropNet(nn.Module):
    """The whole network.

    Args:
        config: what to build.

    Shape:
        image [N, 3, S, S], RGB in [-1, 1], S a multiple of 4 * 2 ** depth (256 in the paper) ->
        one `StackOutput` per stack.
    """

    def __init__(self, config: PropNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        self.stacks = nn.ModuleList(
            Stack(config, first=i == 0, last=i == config.stacks - 1) for i in range(config.stacks)
        )

    def forward(self, image: Tensor) -> list[StackOutput]:
        """Predictions of every stack, for training."""
        x: Tensor | None = self.stem(image)
        boundaries: Tensor | None = None
        outputs: list[StackOutput] = []
        for stack in self.stacks:
            output, x = stack(x, boundaries)
            boundaries = output.boundaries
            outputs.append(output)
        return outputs

    @property
    def has_maps(self) -> bool:
        """Whether its landmarks depend on a propagation module."""
        return self.config.propagation and self.config.stacks > 1

    def landmarks(self, image: Tensor) -> Tensor:
        """Landmark heatmaps [N, K, S/4, S/4] of the last stack, without its unused module."""
        return self.inference(image).landmarks

    def inference(self, image: Tensor) -> StackOutput:
        """These landmarks, and the maps of the last propagation module that they depend on.

        The maps are None where there is no such module (see `has_maps`).
        """
        x, boundaries, attention = self.stem(image), None, None
        for stack in self.stacks[:-1]:
            output, x = stack(x, boundaries)
            _, boundaries, attention = output
        last = self.stacks[-1]
        assert isinstance(last, Stack)
        return StackOutput(last.predict(x, boundaries)[1], boundaries, attention)
