# Instance attention is fitted to the photo by the colours of neighbouring pixels.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
model = dict(
    calibration=dict(refine=dict(_delete_=True, type='PixelAffinity')))
