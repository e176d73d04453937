# The WSDDN that supervises OICR, PCL and MIST on the map of 80 channels.
_base_ = '../oicr/oicr-mid-level_effnet-lite0_voc12-mini.py'
model = dict(
    cascade=dict(detection=None), test_cfg=dict(stage='classification'))
phases = _base_.train_cfg.phases
train_cfg = dict(
    phases=dict(
        classification=dict(
            epochs=phases.classification.epochs + phases.detection.epochs),
        detection=None,
        joint=dict(stages=['classification'])))
