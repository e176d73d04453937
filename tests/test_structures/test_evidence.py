import torch
from test_models.tiny import evidence_of, pseudo_of, random_feats, with_feats

from mmlabelpenet.structures import Evidence, Maps


def test_feats_are_the_image_s_slice_of_the_batch():
    feats = random_feats(batch=3)
    evidence = with_feats(feats, [evidence_of(64, 96) for _ in range(3)])
    for index, one in enumerate(evidence):
        assert one.batch_feats is feats
        for own, level in zip(one.feats, feats):
            assert own.equal(level[index : index + 1])
            assert own.data_ptr() == level[index].data_ptr()  # a view, no copy


def test_an_image_on_its_own_is_the_first_of_its_batch():
    feats = random_feats(batch=2)
    assert Evidence(batch_feats=feats).feats[0].equal(feats[0][:1])


def test_replace_leaves_the_evidence_and_shares_its_other_fields():
    before = evidence_of(64, 96, tags=torch.ones(3), image=torch.rand(3, 64, 96))
    after = before.replace(tags=torch.zeros(3), image_scores=torch.rand(3))
    assert before.tags.tolist() == [1, 1, 1]
    assert 'image_scores' not in before
    assert after.tags.tolist() == [0, 0, 0]
    assert after.image is before.image
    assert after.img_shape == before.img_shape
    after.set_metainfo(dict(img_shape=(1, 1)))
    assert before.img_shape == (64, 96)


def test_instance_maps_join_the_maps_and_the_stride_of_pseudo_instances():
    pseudo = pseudo_of([[0.0, 0, 32, 32]], [1])
    pseudo.attention, pseudo.masks = torch.rand(1, 16, 24), torch.rand(1, 16, 24)
    one = evidence_of(64, 96, pseudo_instances=pseudo, instance_stride=4)
    assert one.instance_maps() == Maps(pseudo.attention, 4)
    assert one.instance_maps('masks').values is pseudo.masks
