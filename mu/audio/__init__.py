"""Audio features: pure JAX functions of waveforms, and the decoding that feeds them."""
