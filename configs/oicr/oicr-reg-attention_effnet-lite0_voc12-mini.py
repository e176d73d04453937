# Seeded by the box that holds most of a class's raw attention, instead of by WSDDN.
_base_ = './oicr-reg_effnet-lite0_voc12-mini.py'
model = dict(
    cascade=dict(
        classification=dict(
            roi_features=None, score_proposals=False, energy_threshold=0.3)))
