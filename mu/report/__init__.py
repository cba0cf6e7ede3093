"""One HTML page of a run on audio: what was measured, where it fails, and what that sounds like."""
