# Instance attention is refined by a dense CRF.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
model = dict(
    calibration=dict(refine=dict(_delete_=True, type='DenseCRF')))
