# Attention: class activation maps.
_base_ = '../label-penet_effnet-lite0_voc12-mini.py'
attention = dict(
    _delete_=True, type='CAMAttention', levels=(1, 2), **_base_.levels)
model = dict(cascade=dict(classification=dict(attention=attention)))
