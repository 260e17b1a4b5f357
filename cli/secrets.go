package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"moat/seal"
	"moat/server"
	"moat/state"
	"moat/store"
)

// secretFile is the name in the data directory of the key that encrypts
// secrets, where --secret-key-file names no other.
const secretFile = "secret.key"

// secretRing gives the keys that encrypt secrets: those of --secret-key-file,
// or those of the data directory, where a key is made if there is none and
// nothing was encrypted yet.
func (s *settings) secretRing(v *state.View, logger *slog.Logger) (*seal.Ring, error) {
	name := s.secretKeyFile
	if name == "" {
		name = filepath.Join(s.dataDir, secretFile)
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			if server.HasSecrets(v) && !s.discardSecrets {
				return nil, fmt.Errorf("the secrets in the database are encrypted, and %s is not there: put the file back (a fleet shares one key: --secret-key-file), or, if it is lost, start with --discard-secrets, which deletes the access keys", name)
			}
			if err := newSecretFile(name); err != nil {
				return nil, fmt.Errorf("make the key that encrypts secrets: %w", err)
			}
			logger.Info("a key was made that encrypts secrets; backups do not hold it, so keep a copy", "file", name)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the key that encrypts secrets: %w", err)
	}
	if fi, err := os.Stat(name); err == nil && fi.Mode().Perm()&0o007 != 0 {
		logger.Warn("everybody may read the key that encrypts secrets: chmod o= it", "file", name)
	}
	ring, err := seal.ParseRing(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key that encrypts secrets, %s: %w", name, err)
	}
	return ring, nil
}

// newSecretFile makes a file with a new key, readable by its owner alone,
// whole or not at all.
func newSecretFile(name string) error {
	var k [seal.KeySize]byte
	rand.Read(k[:])
	f, err := os.CreateTemp(filepath.Dir(name), secretFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "# encrypts the secrets in moat's database; the first key encrypts, all decrypt\n%s\n", base64.StdEncoding.EncodeToString(k[:]))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil { // never over another
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readySecrets sees that every stored secret can be used, that the audit trail
// can be read and written, encrypts what is not encrypted, and gives the root
// key.
func (s *settings) readySecrets(ctx context.Context, st *store.Store, ring *seal.Ring, api *server.Server) (keyID, secret string, err error) {
	if s.discardSecrets {
		if err := st.Unlock(ctx, ring, true); err != nil {
			return "", "", err
		}
		if err := api.DiscardSecrets(ctx); err != nil {
			return "", "", fmt.Errorf("discard secrets: %w", err)
		}
	}
	if err := api.CheckSecrets(); err != nil {
		return "", "", err
	}
	if !s.discardSecrets {
		if err := st.Unlock(ctx, ring, false); err != nil {
			return "", "", err
		}
	}
	if err := api.SealSecrets(ctx); err != nil {
		return "", "", fmt.Errorf("encrypt secrets: %w", err)
	}
	if keyID, secret, err = api.RootKey(ctx); err != nil {
		return "", "", fmt.Errorf("make the root key: %w", err)
	}
	return keyID, secret, nil
}
