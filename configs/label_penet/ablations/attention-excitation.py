# Attention: excitation walked down the backbone to its last map of stride 16.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
attention = dict(
    _delete_=True, type='ExcitationAttention', level=1,
    contrastive=False, **_base_.levels,
    levels=_base_.model.cascade.classification.attention.levels)
model = dict(cascade=dict(classification=dict(attention=attention)))
