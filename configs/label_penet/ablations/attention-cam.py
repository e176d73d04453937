# Attention: class activation maps.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
attention = dict(type='CAMAttention')
model = dict(cascade=dict(classification=dict(attention=attention)))
