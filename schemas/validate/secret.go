package validate

import (
	"encoding/json"
	"slices"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Secret checks a new Secret. No value of it shows up in an error.
func Secret(obj schemas.Object) field.ErrorList { return create(obj, newSecret) }

// SecretUpdate checks obj as the next state of old.
func SecretUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, updatedSecret) }

func newSecret(s *v1.Secret) field.ErrorList {
	errs := namespaced(s, apivalidation.NameIsDNSSubdomain)
	size := 0
	for _, part := range []struct {
		name string
		data map[string][]byte
	}{{"data", s.Data}, {"stringData", bytesOf(s.StringData)}} {
		for _, key := range keysOf(part.data) {
			errs = append(errs, faults(field.NewPath(part.name).Key(key), key, validation.IsConfigMapKey(key))...)
			size += len(part.data[key])
		}
	}
	errs = append(errs, when(size > v1.MaxSecretSize, field.TooLong(field.NewPath("data"), "", v1.MaxSecretSize))...)
	return append(errs, secretKeys(s)...)
}

// secretKeys asks for the keys that the secret's type promises.
func secretKeys(s *v1.Secret) field.ErrorList {
	switch s.Type {
	case v1.SecretTypeServiceAccountToken:
		account := metaPath().Child("annotations").Key(v1.ServiceAccountNameKey)
		return when(s.Annotations[v1.ServiceAccountNameKey] == "", field.Required(account, mustBeSet))
	case v1.SecretTypeDockercfg:
		return secretJSON(s, v1.DockerConfigKey)
	case v1.SecretTypeDockerConfigJson:
		return secretJSON(s, v1.DockerConfigJsonKey)
	case v1.SecretTypeBasicAuth:
		if hasKey(s, v1.BasicAuthUsernameKey) || hasKey(s, v1.BasicAuthPasswordKey) {
			return nil
		}
		return append(secretKey(s, v1.BasicAuthUsernameKey), secretKey(s, v1.BasicAuthPasswordKey)...)
	case v1.SecretTypeSSHAuth:
		return when(len(secretValue(s, v1.SSHAuthPrivateKey)) == 0,
			field.Required(field.NewPath("data").Key(v1.SSHAuthPrivateKey), mustBeSet))
	case v1.SecretTypeTLS:
		return append(secretKey(s, v1.TLSCertKey), secretKey(s, v1.TLSPrivateKeyKey)...)
	}
	return nil
}

func secretKey(s *v1.Secret, key string) field.ErrorList {
	return when(!hasKey(s, key), field.Required(field.NewPath("data").Key(key), mustBeSet))
}

func secretJSON(s *v1.Secret, key string) field.ErrorList {
	if errs := secretKey(s, key); len(errs) > 0 {
		return errs
	}
	if err := json.Unmarshal(secretValue(s, key), &map[string]any{}); err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("data").Key(key), "<secret contents redacted>", err.Error())}
	}
	return nil
}

func hasKey(s *v1.Secret, key string) bool {
	_, inData := s.Data[key]
	_, inStrings := s.StringData[key]
	return inData || inStrings
}

func secretValue(s *v1.Secret, key string) []byte {
	if v, ok := s.StringData[key]; ok {
		return []byte(v)
	}
	return s.Data[key]
}

func bytesOf(m map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(m))
	for k, v := range m {
		out[k] = []byte(v)
	}
	return out
}

func updatedSecret(s, old *v1.Secret) field.ErrorList {
	return slices.Concat(
		metaUpdate(s, old),
		immutable(s.Type, old.Type, field.NewPath("type")),
		frozen(s.Immutable, old.Immutable, part{"data", s.Data, old.Data}),
		newSecret(s),
	)
}
