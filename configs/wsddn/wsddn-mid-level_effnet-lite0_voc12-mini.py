# The same map and proposals without contrast: WSDDN as it was published.
_base_ = './wsddn-mid-level-contrast_effnet-lite0_voc12-mini.py'
model = dict(
    cascade=dict(
        classification=dict(
            roi_features=dict(context=None, with_avg_pool=False),
            contrast_classes=False)))
