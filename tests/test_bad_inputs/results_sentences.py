"""The sentences of the rows of :mod:`.results`."""

SENTENCES = {
    'predictions that do not exist': (
        'There are no predictions {root}/gone.pkl: dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.'
    ),
    'a folder instead of predictions': (
        'There are no predictions {root}/photos: dump them with `tools/test.py CONFIG '
        'CHECKPOINT --out FILE.pkl`.'
    ),
    'damaged predictions (.pkl)': (
        '{root}/found.pkl cannot be read as predictions (ValueError: it is a text, such as '
        'CSV or JSON, and no pickle): dump them with `tools/test.py CONFIG CHECKPOINT '
        '--out FILE.pkl`.'
    ),
    'an empty file of predictions (.pkl)': (
        '{root}/found.pkl cannot be read as predictions (EOFError: Ran out of input): dump '
        'them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'a dict instead of a list of predictions (.pkl)': (
        '{root}/found.pkl cannot be read as predictions (ValueError: it holds a dict instead '
        'of a list of predictions): dump them with `tools/test.py CONFIG CHECKPOINT --out '
        'FILE.pkl`.'
    ),
    'an empty list of predictions (.pkl)': (
        '{root}/found.pkl has predictions for 0 of the 2 photos of {root}/a.json, but no '
        'predictions for photo 1 of this split ({root}/photos/1.jpg): dump them with '
        '`tools/test.py CONFIG CHECKPOINT --out FILE.pkl`, or choose another --split.'
    ),
    'torn labels (.json)': (
        '{root}/found.json cannot be read as predictions (JSONDecodeError: Expecting value: '
        'line 1 column 13 (char 12)): fix the file, or export the labels again.'
    ),
    "a list of COCO's results": (
        "{root}/found.json is a list of COCO's results, which names neither photos nor "
        "classes: give a file of COCO's data format, with images, categories and annotations."
    ),
    'labels without categories': (
        '{root}/found.json cannot be read as predictions (ValueError: it has no list of '
        'categories): fix the file, or export the labels again.'
    ),
    'labels of other classes': (
        '{root}/found.json holds predictions of other classes than the config has (zebra): '
        'use the config that they were made with.'
    ),
    'labels of other photos with the same names': (
        '{root}/found.json has predictions for 0 of the 2 photos of {root}/a.json, but no '
        'predictions for photo 1 of this split ({root}/photos/1.jpg), only others such as '
        '{root}/others/1.jpg: fix the file, or export the labels again, or choose another '
        '--split.'
    ),
    'labels that lack a photo': (
        '{root}/found.json has predictions for 1 of the 2 photos of {root}/a.json, but no '
        'predictions for photo sub/2 of this split ({root}/photos/sub/2.jpg): fix the file, '
        'or export the labels again, or choose another --split.'
    ),
    'labels with a photo twice': '{root}/found.json holds photo 1 twice: keep one of the two.',
    'labels of a photo that could be two': (
        'The predictions for photo 1 in {root}/found.json could be those of '
        '{root}/photos/a/1.jpg and of {root}/photos/b/1.jpg: name photos in it relative to '
        'the folder of the data set.'
    ),
    'labels of photos of another size': (
        '{root}/found.json has predictions for photo 1 with 9 x 6 pixels, but in '
        '{root}/a.json it has 8 x 6, so that they are of another photo: fix the file, or '
        'export the labels again.'
    ),
    'labels of a photo that is not listed': (
        '{root}/found.json cannot be read as predictions (ValueError: an annotation of the '
        'image 7 and the category 1, one of which is not in the lists of the file): fix the '
        'file, or export the labels again.'
    ),
    'labels of a category that is not listed': (
        '{root}/found.json cannot be read as predictions (ValueError: an annotation of the '
        'image 0 and the category 7, one of which is not in the lists of the file): fix the '
        'file, or export the labels again.'
    ),
    'a label without a box': (
        '{root}/found.json cannot be read as predictions (ValueError: an entry of annotations'
        " lacks bbox: {'id': 1, 'image_id': 0, 'category_id': 1, 'area': 4, 'iscrowd': 0, "
        "'segmentatio): fix the file, or export the labels again."
    ),
    'a label with a box of three numbers': (
        '{root}/found.json cannot be read as predictions (ValueError: a bbox is not [x, y, '
        'width, height]: [1, 2, 3]): fix the file, or export the labels again.'
    ),
    'a label with a score that is no number': (
        'In {root}/found.json photo 1 has a box, label or score that is no number; fix the '
        'file, or export the labels again.'
    ),
    'a label with run lengths that are too short': (
        '{root}/found.json cannot be read as predictions (ValueError: the photo 1.jpg has run'
        ' lengths of 9 pixels, its mask has 48: encode the mask again at the size of the '
        'photo): fix the file, or export the labels again.'
    ),
    'a label with a polygon of NaN': (
        '{root}/found.json cannot be read as predictions (MaskError: has a polygon with a '
        'coordinate that is no number: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], '
        '...]): fix the file, or export the labels again.'
    ),
    'a label with damaged compressed run lengths': (
        '{root}/found.json cannot be read as predictions (ValueError: the photo 1.jpg has '
        'damaged run lengths: encode the mask again at the size of the photo): fix the file, '
        'or export the labels again.'
    ),
    'a label with run lengths of another size': (
        '{root}/found.json cannot be read as predictions (ValueError: the photo 1.jpg has a '
        'mask of 4 x 3 pixels, its photo has 8 x 6: encode the mask again at the size of the '
        'photo): fix the file, or export the labels again.'
    ),
    'predictions with numbers instead of names of photos': (
        '{root}/found.pkl names its photos by numbers such as 0 alone, which mean other '
        'photos in another data set: dump them with img_path, among the meta_keys of the '
        'packing transform.'
    ),
    'predictions with an unknown label': (
        'In {root}/found.pkl photo 1 has the label 2, but there are 2 classes, counted from '
        '0; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with a negative label': (
        'In {root}/found.pkl photo 1 has the label -1, but there are 2 classes, counted from '
        '0; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with an infinite box': (
        'In {root}/found.pkl photo 1 has a box, label or score that is no number; dump them '
        'with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with an inverted box': (
        'In {root}/found.pkl photo 1 has a box that ends before it begins, (5, 5, 2, 2) as '
        'x1, y1, x2, y2; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with more scores than boxes': (
        '{root}/found.pkl cannot be read as predictions (ValueError: photo 0 has different '
        'numbers of boxes and scores): dump them with `tools/test.py CONFIG CHECKPOINT --out '
        'FILE.pkl`.'
    ),
    'predictions of other classes': (
        '{root}/found.pkl holds predictions of other classes than the config has (cat): use '
        'the config that they were made with.'
    ),
    'predictions of a photo of another size': (
        '{root}/found.pkl has predictions for photo 1 with 80 x 60 pixels, but in '
        '{root}/a.json it has 8 x 6, so that they are of another photo: dump them with '
        '`tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'a metric that does not exist': (
        "--eval does not know 'mAP'; it knows bbox, segm, corloc, semseg, proposal, image, "
        'pseudo, errors, coco.'
    ),
    'training photos of a config without them': (
        '--split train needs a corloc_dataloader in the config: the training photos.'
    ),
    'a folder instead of a file of tables': (
        '{root}/found.md is a folder, but a file is to be written: name a file in it.'
    ),
    'a data set that wraps another one, measured from a file': (
        'A RepeatDataset cannot be measured from a file, because it has no pipeline of its '
        'own: name the data set that it wraps.'
    ),
    'a file as the folder of an export': (
        '{root}/file/out cannot be written (Not a directory): free space, get the permission,'
        ' or choose another path.'
    ),
    'an export of a split without a dataloader': (
        'The config has no corloc_dataloader; --split may be train, val, test.'
    ),
    'an export over its own data set': (
        '{root}/VOC/JPEGImages/sub/2.jpg lies in {root}/VOC/JPEGImages, so that the export '
        'would overwrite its own data set: choose another folder for --out.'
    ),
    "an export over a user's labels (YOLO)": (
        '{root}/out/labels/train/1.txt is there already, and no export of this package has '
        'written it: choose another folder for --out, or move the file away.'
    ),
    "an export over a user's data.yaml": (
        '{root}/out/data.yaml is there already, and no export of this package has written it:'
        ' choose another folder for --out, or move the file away.'
    ),
    "an export over a user's list (VOC)": (
        '{root}/out/ImageSets/Main/train.txt is there already, and no export of this package '
        'has written it: choose another folder for --out, or move the file away.'
    ),
    "an export over a user's COCO file": (
        '{root}/out/annotations/instances_train.json is there already, and no export of this '
        'package has written it: choose another folder for --out, or move the file away.'
    ),
    'an export of other classes into the folder of another split': (
        '{root}/out holds an export of the classes cat, dog, and this one has dog, cat: '
        'choose another folder for --out.'
    ),
    'a damaged list of exported files': (
        '{root}/out/.mmlabelpenet_yolo.json cannot be read as a list of exported files '
        '(JSONDecodeError: Expecting value: line 1 column 1 (char 0)): delete it.'
    ),
    'two photos with one name in an export': (
        '{root}/photos/1.jpg and {root}/photos/1.jpg would both be exported as zoo_a_b: '
        'rename one.'
    ),
    'a stage without masks, exported to YOLO': (
        'YOLO-seg needs masks, which this stage does not predict: choose another stage, such '
        'as segmentation or calibration.'
    ),
    'a class with a slash, exported to VOC': (
        "The class 'dog/puppy' cannot name a list of a VOC devkit: rename it, or export to "
        'another format.'
    ),
    '300 classes, exported to VOC': (
        'VOC masks hold at most 254 classes, not 300: export to another format.'
    ),
    'corrected labels that are not there': (
        '{root}/done.json cannot be read as corrected labels (FileNotFoundError: [Errno 2] No '
        "such file or directory: '{root}/done.json'): export COCO JSON, or the JSON of Label "
        'Studio with brush, polygon or upright rectangle regions of one label.'
    ),
    'corrected labels with an ellipse': (
        '{root}/done.json cannot be read as corrected labels (ValueError: a region of the kind '
        "ellipselabels with the labels ['dog'], turned by 0 degrees): export COCO JSON, or the "
        'JSON of Label Studio with brush, polygon or upright rectangle regions of one label.'
    ),
    'corrected labels that are a list of names': (
        "{root}/done.json cannot be read as corrected labels (AttributeError: 'str' object has no "
        "attribute 'get'): export COCO JSON, or the JSON of Label Studio with brush, polygon or "
        'upright rectangle regions of one label.'
    ),
    'a VOC export with a class twice': (
        '{root}/out/ImageSets/classes.txt cannot be read as a list of classes (ValueError: 2 '
        'names, 1 of them different): write a class a line.'
    ),
    'a class that a VOC export does not have': (
        "{root}/out/ImageSets/classes.txt has no class 'cow': choose from dog, cat."
    ),
    'stored proposals of another photo in the demo': (
        '{root}/stored/photos/1.npz was made for another photo of the same name and size, '
        'perhaps of another data set: set another dataset_name for one of the two, or delete '
        'the file and run tools/proposals/make_proposals.py again.'
    ),
    'a window without a display': (
        '--show needs a display, and there is none that matplotlib can use (its backend is '
        "'agg'): leave --show out and look at the pictures in their folder, or connect with a"
        ' display (ssh -X).'
    ),
    'a palette that does not exist': (
        "There is no palette 'grey': choose one of none, coco, voc, citys, random."
    ),
    'a label with the score 97': (
        'In {root}/found.json photo 1 has the score 97, but scores are from 0 to 1; fix the '
        'file, or export the labels again.'
    ),
    'labels without the sizes of their photos': (
        '{root}/found.json cannot be read as predictions (ValueError: the photo 1.jpg has no '
        'height and width): fix the file, or export the labels again.'
    ),
    'a label with a negative score': (
        'In {root}/found.json photo 1 has the score -1, but scores are from 0 to 1; fix the '
        'file, or export the labels again.'
    ),
    'a label with a word as score': (
        '{root}/found.json cannot be read as predictions (ValueError: could not convert string '
        "to float: 'high'): fix the file, or export the labels again."
    ),
    'a label that is true as score': (
        '{root}/found.json cannot be read as predictions (ValueError: the score True is no '
        'number): fix the file, or export the labels again.'
    ),
    'a label without the score that others have': (
        '{root}/found.json cannot be read as predictions (ValueError: 1 of 2 annotations have '
        'no score): fix the file, or export the labels again.'
    ),
    'a label with corners for corner and size': (
        'In {root}/found.json photo 1 has the box (1, 1, 10, 10) (x1, y1, x2, y2), which '
        'reaches beyond its 8 x 6 pixels: write [x, y, width, height] in pixels of the photo, '
        'or fix the file, or export the labels again.'
    ),
    'a label of negative width': (
        'In {root}/found.json photo 1 has a box that ends before it begins, (3, 3, 1, 1) as x1,'
        ' y1, x2, y2; fix the file, or export the labels again.'
    ),
    'a label in fractions of the photo': (
        'In {root}/found.json all boxes of 1 of 2 photos (such as 1) lie in the first pixel, as'
        ' fractions of the photo do: write [x, y, width, height] in pixels of the photo, or fix'
        ' the file, or export the labels again.'
    ),
    'a label with a box that is true': (
        '{root}/found.json cannot be read as predictions (ValueError: a bbox is not [x, y, '
        'width, height]: [True, 1, 2, 2]): fix the file, or export the labels again.'
    ),
    'a label with a box of null': (
        'In {root}/found.json photo 1 has a box, label or score that is no number; fix the '
        'file, or export the labels again.'
    ),
    'a label of an unknown name': (
        '{root}/found.json cannot be read as predictions (ValueError: an annotation of the '
        "image 0 and the category 'cow', one of which is not in the lists of the file): fix the"
        ' file, or export the labels again.'
    ),
    'a label of the category 1.5': (
        '{root}/found.json cannot be read as predictions (ValueError: an entry of annotations '
        "has no valid category_id: {'id': 1, 'image_id': 0, 'category_id': 1.5, 'bbox': [1, 1, "
        "2, 2], 'area': 4, 'i): fix the file, or export the labels again."
    ),
    'labels with two categories of one id': (
        '{root}/found.json cannot be read as predictions (ValueError: two entries of categories'
        ' have the same id): fix the file, or export the labels again.'
    ),
    'labels with two categories of one name': (
        '{root}/found.json cannot be read as predictions (ValueError: two entries of categories'
        ' have the same name): fix the file, or export the labels again.'
    ),
    'labels with two photos of one id': (
        '{root}/found.json cannot be read as predictions (ValueError: two entries of images '
        'have the same id): fix the file, or export the labels again.'
    ),
    'labels of a photo whose name is a number': (
        '{root}/found.json cannot be read as predictions (ValueError: the file_name 5 is no '
        'text): fix the file, or export the labels again.'
    ),
    'labels of a photo without height': (
        '{root}/found.json cannot be read as predictions (ValueError: an entry of images has no'
        " valid height: {'id': 0, 'file_name': '1.jpg', 'height': None, 'width': 8}): fix the "
        'file, or export the labels again.'
    ),
    'labels without masks, for masks': (
        '{root}/photos/1.jpg has no masks: the tested stage makes none, test one that does '
        '(--stage calibration for pseudo labels) or leave segm out of --eval.'
    ),
    'predictions with the score 97': (
        'In {root}/found.pkl photo 1 has the score 97, but scores are from 0 to 1; dump them '
        'with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with scores in columns': (
        'In {root}/found.pkl photo 1 has scores of shape [1, 1] and type float64, not [1] of '
        'numbers; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with a score of each class': (
        'In {root}/found.pkl photo 1 has scores of shape [1, 2] and type float64, not [1] of '
        'numbers; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with scores that are true': (
        'In {root}/found.pkl photo 1 has scores of shape [1] and type bool, not [1] of numbers;'
        ' dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with a number for scores': (
        '{root}/found.pkl cannot be read as predictions (ValueError: photo 0 has scores that '
        'are no list): dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with the label .5': (
        'In {root}/found.pkl photo 1 has a label that is no whole number; dump them with '
        '`tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with the label nan': (
        'In {root}/found.pkl photo 1 has a box, label or score that is no number; dump them '
        'with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with labels that are true': (
        'In {root}/found.pkl photo 1 has labels of shape [1] and type bool, not [1] of numbers;'
        ' dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with names for labels': (
        'In {root}/found.pkl photo 1 has labels of shape [1] and type <U3, not [1] of numbers; '
        'dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions in fractions of the photo': (
        'In {root}/found.pkl all boxes of 2 of 2 photos (such as 1) lie in the first pixel, as '
        'fractions of the photo do: write x1, y1, x2, y2 in pixels of the photo, or dump them '
        'with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions beyond the photo': (
        'In {root}/found.pkl photo 1 has the box (0, 0, 800, 600) (x1, y1, x2, y2), which '
        'reaches beyond its 8 x 6 pixels: write x1, y1, x2, y2 in pixels of the photo, or dump '
        'them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions left of the photo': (
        'In {root}/found.pkl photo 1 has the box (-40, 0, 8, 6) (x1, y1, x2, y2), which reaches'
        ' beyond its 8 x 6 pixels: write x1, y1, x2, y2 in pixels of the photo, or dump them '
        'with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with scores in the boxes': (
        'In {root}/found.pkl photo 1 has bboxes of shape [1, 5] and type float64, not [1, 4] of'
        ' numbers; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with boxes of objects': (
        'In {root}/found.pkl photo 1 has bboxes of shape [1] and type object, not [1, 4] of '
        'numbers; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions of a photo whose path is a number': (
        '{root}/found.pkl cannot be read as predictions (ValueError: the img_path 5 is no '
        'text): dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions of a photo with one side': (
        'In {root}/found.pkl photo 1 has the ori_shape (6,), which is no height and width; dump'
        ' them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions of a photo with text for sides': (
        'In {root}/found.pkl photo 1 has the ori_shape abc, which is no height and width; dump '
        'them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with text for masks': (
        'In {root}/found.pkl photo 1 has masks that are neither run lengths (size and counts) '
        'nor arrays of bool; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
    'predictions with masks of probabilities': (
        'In {root}/found.pkl photo 1 has masks that are neither run lengths (size and counts) '
        'nor arrays of bool; dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`.'
    ),
}
