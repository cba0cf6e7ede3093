"""The world's music: estimators by signal processing and frozen encoders, into docs/results/world_music.md.

    python benchmarks/world_music.py [--seeds=0,1] [--encoders=mfcc,mel_mean,random] [--workdir=DIR]
    python benchmarks/world_music.py --fit --seeds=100       weights of trains of beats, for mu/suite/estimators/rhythm.py

Part of `make results-audio`. Sets of works are made where they are missing; what is done is not done again. Constants of
the estimators were chosen on seed 100; never report that seed.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from benchmarks.music_suite import DESCRIPTIONS, commit
from mu.audio.io import read
from mu.console import Progress
from mu.embedding.opening import open_encoder
from mu.files import read_json, write_json, write_whole
from mu.suite.estimators.features import SAMPLE_RATE_HZ, features_of
from mu.suite.estimators.rhythm import EVIDENCE, trains_of
from mu.suite.run import SuiteOptions, run_suite, slug
from mu.suite.table import markdown_table
from mu.suite.world import FOLDER, TASKS
from mu.suite.world_frames import METRICS, read_truth, works_table, world_frame_rows
from mu.training.provenance import processor
from mu.world.works.writing import WorksOptions, write_works
from mu_kernels.threads import available_cpus
