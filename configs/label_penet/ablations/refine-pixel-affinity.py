# Instance attention is refined by colour once, at 4 pixels, not coarse to fine.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
model = dict(
    calibration=dict(refine=dict(_delete_=True, type='PixelAffinity')))
