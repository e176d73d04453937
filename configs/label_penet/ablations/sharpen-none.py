# Attention is not refined by a random walk.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
model = dict(calibration=dict(sharpen=None))
