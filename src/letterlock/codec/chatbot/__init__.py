"""Chatbots: one model of cards and suggestions (model.py), MaaP JSON over SIP (maap.py), RBM JSON over REST (rbm.py)."""
