# The same with a softmax over the image's scores for WSDDN's loss.
_base_ = './loss-wsddn.py'
loss_cls = dict(type='SoftmaxTagLoss')
model = dict(cascade=dict(classification=dict(loss_cls=loss_cls)))
