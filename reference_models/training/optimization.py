"""One model's way downhill: optimizer, learning-rate schedule, clipping and precision, all of them torch's own."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from .config import ModelPlan, Schedule

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
# What each device computes in besides float32. fp16 needs the loss scaled, which torch does on CUDA.
PRECISIONS = {"cpu": ("float32", "bf16"), "cuda": ("float32", "bf16", "fp16"), "mps": ("float32",)}


class Optimization:
    """Steps a module's weights and its learning rate; `state_dict` holds all that the next step depends on."""

    def __init__(self, module: nn.Module, plan: ModelPlan, device: torch.device) -> None:
        self._parameters = list(module.parameters())
        self._optimizer = _OPTIMIZERS[plan.optimizer](
            self._parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._schedule = _schedule(self._optimizer, plan.schedule, plan.epochs)
        self._scaler = torch.amp.GradScaler(device.type, enabled=plan.precision == "fp16")
        self._clip_norm = plan.clip_norm
        self._device, self._dtype = device.type, _DTYPES.get(plan.precision)

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return self._optimizer.param_groups[0]["lr"]

    def precision(self) -> AbstractContextManager:
        """The context in which the module is to be called; losses are computed outside, in float32."""
        return torch.autocast(self._device, dtype=self._dtype, enabled=self._dtype is not None)

    def step(self, loss: torch.Tensor) -> None:
        """One step down the gradient of `loss`, clipped to a norm of `clip_norm` if there is one."""
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        if self._clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def end_epoch(self, validation_loss: float) -> None:
        """Moves the schedule on by one epoch."""
        if isinstance(self._schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._schedule.step(validation_loss)
        elif self._schedule:
            self._schedule.step()

    def state_dict(self) -> dict[str, object]:
        return {
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict() if self._schedule else {},
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, dict]) -> None:
        self._optimizer.load_state_dict(state["optimizer"])
        if self._schedule:
            self._schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])


def _schedule(
    optimizer: torch.optim.Optimizer, schedule: Schedule, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    schedulers = torch.optim.lr_scheduler
    if schedule.kind == "cosine":
        return schedulers.CosineAnnealingLR(optimizer, T_max=epochs)
    if schedule.kind == "plateau":
        return schedulers.ReduceLROnPlateau(optimizer, factor=schedule.factor, patience=schedule.patience)
    if schedule.kind == "step":
        return schedulers.StepLR(optimizer, step_size=schedule.every, gamma=schedule.factor)
    return None
