import numpy as np

from model.shipped_markups import WFLW
from tracker.measures.generic_face import face_model
from tracker.measures.rotation import rotation_matrix
from train.fits.fit_generic_face import fit_face


def test_a_known_face_is_found_from_flat_pictures() -> None:
    """Faces turned at random, drawn without perspective; the fit sees only the drawings."""
    known = face_model("wflw98").points
    rng = np.random.default_rng(2)
    drawings = []
    for _ in range(100):
        turn = rotation_matrix(*rng.normal(0, [0.15, 0.35, 0.15]))
        flat = rng.uniform(0.5, 3) * (known @ turn.T)[:, :2] + rng.uniform(-50, 500, 2)
        drawings.append(flat)
    face, spread = fit_face(np.array(drawings), rounds=30)
    # Which pitch counts as none is the median drawing's: compare after the best turn about x.
    angles = np.linspace(-0.1, 0.1, 401)
    errors = [np.abs(face @ rotation_matrix(a, 0, 0).T - known).max() for a in angles]
    assert min(errors) < 0.5  # mm
    assert spread.max() < 0.5
    np.testing.assert_allclose(face[WFLW.flip] * [-1, 1, 1], face, atol=1e-9)
    assert face[72, 0] - face[60, 0] == np.float64(89.5)
