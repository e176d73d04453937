# Attention: excitation less that of the opposite of the class.
_base_ = '../label-penet-without-lap_effnet-lite0_voc12-mini.py'
attention = dict(type='ExcitationAttention', level=1, contrastive=True)
model = dict(cascade=dict(classification=dict(attention=attention)))
