# The mining of MIST (Ren et al., CVPR 2020), several instances a class; its Concrete DropBlock is
# left out.
_base_ = '../oicr/oicr-reg-mid-level_effnet-lite0_voc12-mini.py'
top = dict(_delete_=True, method='mist')
model = dict(
    cascade=dict(detection=dict(mining=top)), calibration=dict(mining=top))
