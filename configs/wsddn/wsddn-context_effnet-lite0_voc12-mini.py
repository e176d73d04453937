# Regions in contrast with their surroundings: model S of ContextLocNet (Kantorov et al., ECCV
# 2016), rings up to 1.8 times the region's sides.
_base_ = './wsddn_effnet-lite0_voc12-mini.py'
model = dict(cascade=dict(classification=dict(roi_features=dict(context=1.8))))
