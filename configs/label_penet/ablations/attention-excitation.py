# Attention: excitation walked down the backbone to its last map of stride 16.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
attention = dict(type='ExcitationAttention', level=1, contrastive=False)
model = dict(cascade=dict(classification=dict(attention=attention)))
