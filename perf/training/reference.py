"""SemiGAN-NAD's training as one would write it first: torch-geometric, a cell at a time, a DataLoader.

The equations (`losses.py`, `ranks.py`) and AG's decoding are nadlab's; encoding, batching, GINs, optimizers and the loop
are not. With the weights and the random state of a `BiArch2Perf` it makes the same numbers but for rounding.
"""

from copy import deepcopy

import torch
from torch import Tensor
from torch.utils.data import Subset
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.utils import to_dense_adj

from nadlab.nets.nade import gumbel
from nadlab.semigan import losses
from nadlab.semigan.biarch2perf import BiArch2Perf, schedule, steps_of_an_epoch
from nadlab.semigan.losses import EpochLosses
from nadlab.semigan.networks.generator import LATENT, Latents
from nadlab.semigan.networks.predictor import Predictor
from nadlab.semigan.ranks import soft_rank
from nadlab.spaces import Cells
from perf.training.reference_networks import CellDataset, PlainDiscriminator, PlainGenerator, PlainPredictor, batch_of


class PlainTraining:
    """The training of a `BiArch2Perf`, with a copy of its weights and random state; it must not have taken a step.

    unlabelled: other cells than the model's, such as all cells of a space, whether isomorphic to each other or not.
    """

    def __init__(self, model: BiArch2Perf, unlabelled: Cells | None = None) -> None:
        settings = self.settings = model.settings
        networks = deepcopy(model.networks)
        self.AG = PlainGenerator(networks.AG, settings.width, settings.generator_depth)
        assert isinstance(networks.PP, Predictor), "an ensemble has no plain reference"
        self.PP, self.D = PlainPredictor(networks.PP), PlainDiscriminator(networks.D)
        count = model.operations
        self.labelled = CellDataset(
            Cells(
                model.labelled.aggregation.triu(1).byte().numpy(),
                model.labelled.features[:, :, :count].argmax(dim=2).numpy(),
            ),
            count,
        )
        if unlabelled is None:
            unlabelled = Cells(*(space[model.unlabelled].numpy() for space in (model.space_A, model.space_X)))
        self.unlabelled = CellDataset(unlabelled, count)
        self.targets, self.ranks, self.cuts = model.targets, model.ranks, model.cuts
        self.random = torch.Generator()
        self.random.set_state(model.random.get_state())
        beta_1 = settings.beta_1
        self.optimizers = {
            "AG": torch.optim.Adam(self.AG.parameters(), betas=(beta_1, 0.999), foreach=False),
            "PP": torch.optim.Adam(self.PP.parameters(), foreach=False),
            "D": torch.optim.Adam(self.D.parameters(), betas=(beta_1, 0.999), foreach=False),
        }
        self.steps = settings.epochs * steps_of_an_epoch(len(unlabelled), settings)
        self.steps_taken = 0

    def epoch(self) -> EpochLosses:
        """Train D, AG and PP once in turn on every batch."""
        order = torch.randperm(len(self.unlabelled), generator=self.random)[: self.settings.unlabelled_per_epoch]
        loader = DataLoader(Subset(self.unlabelled, order.tolist()), batch_size=self.settings.unlabelled_batch)
        rows = [self.step(batch) for batch in loader]
        return EpochLosses(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))

    def step(self, unlabelled: Batch) -> tuple[float, ...]:
        """Train on one batch; return the losses in the order of `EpochLosses`."""
        settings, count = self.settings, len(self.labelled)
        (labelled,) = DataLoader(self.labelled, batch_size=count)
        drawn = torch.randint(count, (count,), generator=self.random)
        ranks, targets = self.ranks[drawn], self.targets[drawn]
        predicted_ranks = soft_rank(self.PP(unlabelled), self.cuts, settings.temperature)
        pseudo = predicted_ranks.detach()
        shape = (count, *self.AG.decisions.allowed.shape)
        latents = self.latents(count)
        made = self.AG(latents, gumbel(shape, self.random), ranks)
        generated, fixed = batch_of(made.A, made.X), batch_of(made.A.detach(), made.X.detach())
        real_count = min(settings.pseudo_real, len(pseudo) // 2)

        discriminator_loss = torch.zeros(())
        if settings.discriminator:
            pairs = self.D(unlabelled, pseudo)
            real, generated_pairs = torch.cat([self.D(labelled, self.ranks), pairs[:real_count]]), self.D(fixed, ranks)
            discriminator_loss = losses.discriminator_loss(
                real, pairs[real_count:], generated_pairs, alpha=settings.alpha
            )
            self.update("D", discriminator_loss)

        adversarial = losses.adversarial_loss(self.D(generated, ranks), settings.saturating)
        generator_loss = losses.generator_loss(adversarial, settings.alpha) * settings.generator_adversarial
        coverage = torch.zeros(())
        if settings.coverage:
            first = [unlabelled[cell] for cell in range(real_count)]
            cells = Batch.from_data_list([*labelled.to_data_list(), *first])
            known = torch.cat([self.ranks, pseudo[:real_count]])
            features = self.AG.features(self.latents(len(known)), known)
            coverage = -self.AG.log_likelihood(features, self.chosen(cells, len(known))).mean()
        self.update("AG", generator_loss + settings.coverage * coverage)

        gamma_1 = losses.adversarial_loss(self.D(unlabelled, predicted_ranks), settings.saturating)
        gamma_2 = losses.squared_error(self.targets, self.PP(labelled))
        gamma_3 = losses.squared_error(targets, self.PP(fixed))
        predictor_loss = losses.predictor_loss(
            gamma_1 * settings.predictor_adversarial,
            gamma_2,
            gamma_3 * settings.generated_labels,
            settings.alpha,
            settings.alpha_p,
        )
        self.update("PP", predictor_loss)
        self.steps_taken += 1
        every = (discriminator_loss, generator_loss, predictor_loss, gamma_2, gamma_3, coverage)
        return tuple(loss.item() for loss in every)

    def latents(self, count: int) -> Latents:
        """Draw z_A and z_X."""
        shape = (count, len(self.AG.decisions.A), LATENT)
        return Latents(torch.randn(shape, generator=self.random), torch.randn(shape, generator=self.random))

    def chosen(self, batch: Batch, count: int) -> Tensor:
        """Return the choices that make cells, as AG's likelihood reads them."""
        A = to_dense_adj(batch.edge_index, batch.batch).triu()
        X = batch.x.view(count, A.shape[1], -1)[:, :, : self.unlabelled.operation_count]
        return self.AG.decisions.of(A.byte(), X.argmax(dim=2))

    def update(self, name: str, loss: Tensor) -> None:
        """Take one Adam step of one network."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.param_groups[0]["lr"] = self.settings.learning_rate * schedule(self.steps_taken / self.steps)
        optimizer.step()
