# Module 1 scores proposals by WSDDN's streams and loss, and calibration weighs them by energy.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
roi_features = _base_.model.cascade.detection.box_head.roi_features
streams = dict(roi_features=roi_features, num_samples=256, score_proposals=True)
model = dict(
    cascade=dict(classification=dict(loss_cls=dict(type='WSDDNLoss'), **streams)),
    calibration=dict(score_power=0.5))
