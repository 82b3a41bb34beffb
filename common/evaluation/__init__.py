"""Evaluation: samples of image models beside the data set they are of; knows the data and the measures."""
