"""What the rivals' handlers take: the same JSON as ours, as pydantic models."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class PatientBody(BaseModel):
    """A new patient."""

    model_config = ConfigDict(extra="forbid")
    patient_id: UUID
    clinic_id: UUID
    name: str = Field(min_length=1, max_length=200)
    birth_date: date
    contact: str | None = Field(default=None, max_length=200)


class ProcedureBody(BaseModel):
    """A procedure done elsewhere."""

    model_config = ConfigDict(extra="forbid")
    clinic_id: UUID
    kind: Literal["botulinum_toxin", "filler_ha", "peel_superficial"]
    zones: list[str] = Field(max_length=10)
    on: date
    certainty: Literal["exact", "estimated", "latest_plausible", "unknown"] = "exact"


class FrameBody(BaseModel):
    """One frame, every field by name."""

    treatment_id: UUID
    device_id: UUID
    boot_id: UUID
    seq: int = Field(ge=0)
    device_ms: int = Field(ge=0)
    zone: str
    pass_no: int = Field(ge=1, le=100)
    energy_set_mj: float = Field(ge=0, le=1000)
    energy_mj: float = Field(ge=0, le=1000)
    mtz_count: int = Field(ge=0, le=100_000)
    grid_row: int = Field(ge=0, le=4095)
    grid_col: int = Field(ge=0, le=4095)
    emission: bool
    temp_tip_c: float | None = Field(ge=-50, le=200)
    fault_bits: int = Field(ge=0)
