# Attention: excitation walked down the backbone to its last map of stride 16.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
attention = dict(
    _delete_=True, type='ExcitationAttention', levels=(1, 2), level=1,
    contrastive=False, **_base_.levels)
model = dict(cascade=dict(classification=dict(attention=attention)))
