# Instance attention is not refined by colour.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
model = dict(calibration=dict(refine=None))
