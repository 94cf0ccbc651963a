"""What can be varied in SemiGAN-NAD; the defaults are the paper's where it gives a value (DESIGN.md lists the gaps)."""

from dataclasses import dataclass

from nadlab.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A trial of SemiGAN-NAD but for its seed and benchmark."""

    alpha: float = 0.5
    """share of PP's joint distribution, equations 3-10"""
    alpha_p: float = 0.5
    """weight of PP's error on generated cells, equation 8"""
    t: float | None = None
    """lower bound of rank 0 in percent, equation 11; None takes `rank0_share` of the labels"""
    rank0_share: float = 0.1
    """share of the labelled cells that rank 0 gets when `t` is None"""
    labels: int = 155
    """architectures queried for training"""
    final_k: int = 5
    """K: generated architectures queried at the end; labels + final_k is the budget"""
    epochs: int = 60
    """40 to 60 in the paper"""
    width: int = 64
    """hidden width of all three networks"""
    generator_depth: int = 5
    predictor_depth: int = 4
    discriminator_depth: int = 3
    learning_rate: float = 1e-3
    """of the three Adam optimizers"""
    unlabelled_batch: int = 1024
    """cells without a label in a batch"""
    unlabelled_per_epoch: int | None = None
    """cells without a label in an epoch, drawn anew each time; None takes all of them"""
    label_floor: float = 10.0
    """PP's target is at least t - label_floor: how bad a bad cell is doesn't matter to equation 11"""
    temperature: float = 1.0
    """of the soft rank, in widths of a rank"""
    generated: int = 5000
    """cells that NACG generates in a round"""
    generation_rounds: int = 10
    """rounds after which NACG stops looking for K queryable cells"""

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        return self.labels + self.final_k

    def __post_init__(self) -> None:
        for name in ("alpha", "alpha_p", "rank0_share"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise UserError(f"{name} must lie strictly between 0 and 1, not {value:g}")
        counts = ("labels", "final_k", "epochs", "width", "generated", "generation_rounds", "unlabelled_batch")
        depths = ("generator_depth", "predictor_depth", "discriminator_depth")
        for name in (*counts, *depths):
            least = 2 if name == "labels" else 1
            if getattr(self, name) < least:
                raise UserError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.unlabelled_per_epoch is not None and self.unlabelled_per_epoch < 1:
            raise UserError(f"unlabelled_per_epoch must be at least 1, not {self.unlabelled_per_epoch}")
        for name in ("learning_rate", "label_floor", "temperature"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} must be positive, not {getattr(self, name):g}")
