package pod

import (
	"context"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// credentials are those of the pod's pull secrets that are for ref. Secrets that cannot be
// had are told of; the pull is tried without them.
func (r *Reconciler) credentials(ctx context.Context, p *v1.Pod, ref string) []sandbox.Credential {
	var keys image.Keyring
	var missing []string
	for _, s := range p.Spec.ImagePullSecrets {
		secret, err := r.Source.Secret(ctx, schemas.Namespace(p.Namespace), schemas.Name(s.Name))
		if err == nil && secret != nil {
			err = keys.Add(secret)
		}
		if err != nil || secret == nil {
			missing = append(missing, s.Name)
		}
	}
	if len(missing) > 0 {
		r.Recorder.Event(p, v1.EventTypeWarning, "FailedToRetrieveImagePullSecret",
			fmt.Sprintf("Unable to retrieve some image pull secrets (%s); attempting to pull the image may not succeed.", strings.Join(missing, ", ")))
	}
	return keys.For(ref)
}
