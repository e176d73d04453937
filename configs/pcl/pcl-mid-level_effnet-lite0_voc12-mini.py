_base_ = '../oicr/oicr-mid-level_effnet-lite0_voc12-mini.py'
clusters = dict(method='clusters', max_per_class=5)
model = dict(
    cascade=dict(
        detection=dict(
            box_head=dict(loss_clusters=True, neg_iou=(0.1, 0.5)),
            mining=clusters)),
    calibration=dict(mining=clusters))
