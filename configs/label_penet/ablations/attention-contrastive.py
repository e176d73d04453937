# Attention: excitation less that of the opposite of the class.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
attention = dict(
    _delete_=True, type='ExcitationAttention', levels=(1, 2), level=1,
    contrastive=True, **_base_.levels)
model = dict(cascade=dict(classification=dict(attention=attention)))
