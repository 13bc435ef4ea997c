"""Scores and metrics by shards are those of one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.cluster.data import load_set_tables, load_table
from securexgb.cluster.scores import like_model, moved_by_shards, predict_by_shards
from securexgb.cluster.working import work_of
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows, load_sets
from securexgb.jobs.evaluation import evaluate
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.runs import FinishedRun, RunDirectory
from securexgb.jobs.simulation import simulate_parties
from securexgb.jobs.training import agreed_job, train
from securexgb.mpc.party import Party
from tests.cluster.running import Sharded
from tests.processes.companies import SIDES
