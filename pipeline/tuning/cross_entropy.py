"""Cross-entropy over a large vocabulary in pieces, so that the logits of all positions are never in memory.

The gradient with respect to the hidden states is computed with the loss, and a piece's logits are then
dropped (Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary Language Models", arXiv:2411.09009; Hsu et
al. 2024, "Liger Kernel", arXiv:2410.10989). That takes two products with the projection, as many as with all
logits in memory.
"""

from typing import TYPE_CHECKING, Any

from pipeline.tuning.cross_entropy_blocks import losses_and_slopes

if TYPE_CHECKING:
    import keras_hub

LOGITS = 1 << 25
"""Logits of a piece, at most: 134 MB in float32."""


def token_losses(
    backbone: "keras_hub.models.Backbone", hidden: Any, labels: Any, *, training: bool
) -> tuple[Any, Any]:
    """Losses of the tokens that follow some positions, and whether each is the most likely token.

    The gradient of the losses reaches `hidden`, and the projection if the embedding is trained. The logits of
    a piece are then computed a second time for it.

    Args:
        backbone: with the tied embedding, whose layer also has the family's soft cap, if there is one.
        hidden: the last hidden states, (positions, hidden).
        labels: the tokens that follow, (positions,), int32.
        training: whether a gradient is wanted.

    Returns:
        Cross-entropies in nats, (positions,), float32; and (positions,), bool.
    """
    import keras
    from keras import ops

    embedding = backbone.token_embedding
    if keras.config.backend() == "torch":
        if training and not embedding.embeddings.trainable:
            return _in_blocks(embedding, hidden, labels)
        if not training and _is_plain(embedding):
            return _in_blocks(embedding, hidden, labels, training=False)
    # TensorFlow traces functions for any number of positions; then all of them are one piece.
    if hidden.shape[0] is None:
        return _piece(embedding, hidden, labels, training=training)
    step = max(1, LOGITS // embedding.input_dim)
    starts = range(0, hidden.shape[0], step)

    def piece(states: Any, wanted: Any) -> tuple[Any, Any]:
        return _piece(embedding, states, wanted, training=training)

    if training and embedding.embeddings.trainable and len(starts) > 1:
        # Otherwise the logits of all pieces would be kept for the gradient.
        piece = keras.remat(piece)
    pieces = [piece(hidden[start : start + step], labels[start : start + step]) for start in starts]
    losses, right = ([piece[index] for piece in pieces] for index in range(2))
    if len(pieces) == 1:
        return losses[0], right[0]
    return ops.concatenate(losses), ops.concatenate(right)


def _is_plain(embedding: Any) -> bool:
    """Whether nothing has replaced how the layer projects, as verification does."""
    import keras

    return getattr(embedding.call, "__func__", None) is keras.layers.ReversibleEmbedding.call


def _in_blocks(embedding: Any, hidden: Any, labels: Any, *, training: bool = True) -> tuple[Any, Any]:
    """Losses and whether the most likely token is right, on PyTorch; in training of a frozen embedding."""
    from keras import ops

    kernel = ops.cast(embedding.embeddings, embedding.compute_dtype).detach()
    states = ops.cast(hidden, kernel.dtype).detach()
    losses, right, slopes = losses_and_slopes(
        states, labels.long(), kernel, embedding.logit_soft_cap, with_slopes=training
    )
    return (_with_gradient(losses, hidden, slopes) if training else losses), right


def _with_gradient(losses: Any, hidden: Any, slopes: Any) -> Any:
    """The same losses, with this gradient with respect to the hidden states."""
    from keras import ops

    product = ops.sum(ops.cast(hidden, "float32") * ops.stop_gradient(slopes), axis=-1)
    return ops.stop_gradient(losses) + (product - ops.stop_gradient(product))


def _piece(embedding: Any, hidden: Any, labels: Any, *, training: bool) -> tuple[Any, Any]:
    """Losses and whether the most likely token is right, of all given positions at once."""
    from keras import ops

    trained = training and embedding.embeddings.trainable
    states = hidden if trained else ops.stop_gradient(hidden)
    # The layer takes (batch, tokens, hidden), and so does what verification puts in its place.
    logits = embedding(ops.expand_dims(states, 0), reverse=True)
    logits = ops.cast(ops.squeeze(logits, 0), "float32")
    log_sum = ops.logsumexp(logits, axis=-1)
    columns = ops.expand_dims(labels, -1)
    wanted = ops.squeeze(ops.take_along_axis(logits, columns, axis=-1), -1)
    losses = log_sum - wanted
    right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(labels, "int32"))
    if trained or not training:
        return losses, right
    kernel = ops.cast(embedding.embeddings, embedding.compute_dtype)
    # The derivative of the loss by the logits is softmax - 1 at the label.
    slopes = ops.exp(logits - ops.expand_dims(log_sum, -1))
    at_label = ops.ones_like(wanted)
    if embedding.logit_soft_cap is not None:
        # logits = cap * tanh(products / cap)
        slopes = slopes * (1 - ops.square(logits / embedding.logit_soft_cap))
        at_label = 1 - ops.square(wanted / embedding.logit_soft_cap)
    rows = ops.cast(ops.take(kernel, labels, axis=0), "float32") * ops.expand_dims(at_label, -1)
    gradient = ops.cast(ops.matmul(ops.cast(slopes, kernel.dtype), kernel), "float32") - rows
    return _with_gradient(losses, hidden, gradient), right
