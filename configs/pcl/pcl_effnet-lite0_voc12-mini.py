# PCL (Tang et al., TPAMI 2018): centres of proposal clusters supervise, a cluster is a bag.
_base_ = '../oicr/oicr_effnet-lite0_voc12-mini.py'
clusters = dict(method='clusters', max_per_class=5)
model = dict(
    cascade=dict(
        detection=dict(
            box_head=dict(loss_clusters=True, neg_iou=(0.1, 0.5)),
            mining=clusters)),
    calibration=dict(mining=clusters))
